"""``manage.py run``: everything that a person can do with a run, in a terminal, by the web's own services.

Exit codes: 0 done, 1 refused or failed (the reason on stderr), 2 wrong usage.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, NoReturn

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from migration_runs import menu
from migration_runs.exceptions import PhasegateError, Refused
from migration_runs.management import handover_command, new_run_options, run_output, terminal
from migration_runs.models import Run
from migration_runs.phases import PHASES, Role
from migration_runs.selectors import log_pages, rollback
from migration_runs.selectors.handover import handover_of
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.run_views import RunView
from migration_runs.selectors.runs_list import run_rows
from migration_runs.services import confirmations, people, plans, readiness
from migration_runs.services.offer import Action

# Command line name → verb of the table that the web uses too.
COMMANDS = {
    "submit": "submit",
    "withdraw": "withdraw",
    "send-back": "send_back",
    "sign": "sign",
    "start": "start",
    "pause": "pause",
    "resume": "resume",
    "hold": "hold",
    "adjust": "adjust",
    "retry": "retry",
    "verify": "verify",
    "rollback": "roll_back",
    "cancel": "cancel",
    "seal": "seal",
}
READING = {"show": "where a run stands", "logs": "a run's log", "list": "all runs, or the one named"}
SETTLED = frozenset(
    {"awaiting_sign_off", "done", "failed", "paused", "undone", "undo_failed", "ready", "pending"}
)
POLL_SECONDS = 0.3
Person = tuple[User, str]
"""An account, and how the panel knows that it is its person who asks."""


class Command(BaseCommand):
    """Write, sign, drive, hold and roll back runs."""

    help = "Write, sign, drive, hold and roll back runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand per verb; all take --as, --json and --wait."""
        commands = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        new = commands.add_parser("new", help="write a run: a draft with its plan frozen")
        new_run_options.add_arguments(new)
        for name, verb in COMMANDS.items():
            command = commands.add_parser(name, help=menu.MENU[verb].consequence)
            command.add_argument("run_id", type=int, metavar="ID")
            command.add_argument("--phase", type=int, choices=range(1, len(PHASES) + 1), metavar="N")
            command.add_argument("--role", choices=[role.value for role in Role])
            command.add_argument("--evidence", default="", metavar="TEXT")
            command.add_argument("--comment", default="", metavar="TEXT")
            if name == "pause":
                command.add_argument("--now", action="store_true", help="cancel the statement that runs")
            if name == "adjust":
                command.add_argument(
                    "--set", action="extend", nargs="+", default=[], metavar="NAME=VALUE",
                    type=new_run_options.pair,
                    help="the copy's values to change, inside their signed bounds",
                )  # fmt: skip
            if name == "sign":
                command.add_argument("--refuse", action="store_true", help="refuse the signature instead")
                command.add_argument("--digest", help="sign only if this is the plan's digest")
            if name == "rollback":
                command.add_argument("--preview", action="store_true", help="show what it would do and stop")
        ticking = commands.add_parser("tick", help="tick a readiness item, or confirm a step, with evidence")
        ticking.add_argument("run_id", type=int, metavar="ID")
        ticking.add_argument("item", metavar="ITEM", help="a readiness item's or a confirm step's key")
        ticking.add_argument("--evidence", default="", metavar="TEXT")
        handing = commands.add_parser("handover", help=handover_command.HELP)
        handing.add_argument("run_id", type=int, metavar="ID")
        handover_command.add_arguments(handing)
        for name, text in READING.items():
            command = commands.add_parser(name, help=text)
            command.add_argument("run_id", type=int, metavar="ID", nargs="?", help="default: the newest run")
        for command in commands.choices.values():
            command.add_argument("--as", dest="person", metavar="USER", help="act as this account")
            command.add_argument("--json", action="store_true", help="one JSON object on stdout")
            command.add_argument("--wait", action="store_true", help="wait until the phase has settled")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it as the person; every refusal ends with its reason on stderr and exit code 1."""
        try:
            asked = terminal.who(options["person"])
            self._answer(options, asked)
        except Run.DoesNotExist:
            self._fail(options, f"There is no run {options['run_id'] or 'yet'}.")
        except Refused as refusal:
            self._fail(options, str(refusal), rule=refusal.rule)
        except PhasegateError as error:
            self._fail(options, str(error))
        except KeyboardInterrupt:
            raise CommandError("Stopped waiting. The run goes on without you.", returncode=130) from None

    def _answer(self, options: dict[str, Any], asked: Person) -> None:
        verb = options["verb"]
        if verb in READING or options.get("preview") or _reads_card(options):
            terminal.require_reader(asked[0])
        if verb == "list":
            self._list(options)
        elif verb == "logs":
            lines = log_pages.all_lines(_run_id(options))
            self._write(options, lambda: run_output.log_json(lines), lambda: run_output.log_text(lines))
        elif verb == "handover":
            self._hand_over(options, asked)
        elif options.get("preview"):
            foreseen = rollback.preview(options["run_id"])
            self._write(
                options,
                lambda: run_output.preview_json(foreseen),
                lambda: run_output.preview_text(foreseen),
            )
        else:
            run_id = _act(verb, options, asked)
            view = settled(run_id, asked[0]) if options["wait"] else run_view(run_id, person=asked[0])
            problem = _problem(view, verb) if options["wait"] else ""
            self._write(options, lambda: run_output.run_json(view), lambda: run_output.run_text(view))
            if problem:
                raise CommandError(problem)

    def _hand_over(self, options: dict[str, Any], asked: Person) -> None:
        run_id, (person, how) = _run_id(options), asked
        handover_command.act(run_id, options, person=person, how=how)
        card = handover_of(run_id, person)
        self._write(options, lambda: handover_command.as_json(card), lambda: handover_command.as_text(card))

    def _list(self, options: dict[str, Any]) -> None:
        runs = Run.objects.select_related("author").order_by("-id")
        if options["run_id"] is not None:
            runs = runs.filter(pk=_run_id(options))
        rows = list(run_rows(list(runs)).values())
        self._write(options, lambda: run_output.rows_json(rows), lambda: run_output.rows_text(rows))

    def _write(self, options: dict[str, Any], as_json: Callable[[], Any], as_text: Callable[[], str]) -> None:
        self.stdout.write(json.dumps(as_json(), default=str) if options["json"] else as_text())

    def _fail(self, options: dict[str, Any], reason: str, *, rule: str = "") -> NoReturn:
        if options["json"]:
            self.stdout.write(json.dumps({"error": reason, "rule": rule}))
        raise CommandError(reason)


def _reads_card(options: dict[str, Any]) -> bool:
    return options["verb"] == "handover" and not handover_command.changes(options)


def _run_id(options: dict[str, Any]) -> int:
    """The run that was named, else the newest. Raises Run.DoesNotExist."""
    if options["run_id"] is None:
        return Run.objects.latest("id").pk
    return Run.objects.get(pk=options["run_id"]).pk


def _act(verb: str, options: dict[str, Any], asked: Person) -> int:
    """Do what was asked; the run's id."""
    person, how = asked
    if verb == "new":
        run = plans.create_run(
            runbook_slug=options["runbook"],
            target=options["target"],
            data_decision=options["data_decision"],
            parameters=dict(options["param"]),
            clock_speed=options["clock_speed"],
            planned_start=options["planned_start"],
            assignments={role: people.account_named(name) for role, name in options["assign"]},
            author=person,
            how=how,
        )
        return run.pk
    run_id = _run_id(options)
    if verb == "tick":
        _tick(run_id, options["item"], options["evidence"], asked)
    elif verb != "show":
        name = "pause_now" if verb == "pause" and options["now"] else COMMANDS[verb]
        _perform(menu.MENU[name], run_view(run_id, person=person), options, asked)
    return run_id


def _perform(verb: menu.Verb, view: RunView, options: dict[str, Any], asked: Person) -> None:
    """Use a verb on a run, asking for the run's name and the password where it wants them.

    Nothing is asked of who would be refused anyway: the service says so at once, and keeps record of it.
    """
    person, how = asked
    refuse = options.get("refuse", False)
    gate = _gate(view, options) if verb.name == "sign" else None
    offered = [a for a in view.actions if a.verb == verb.name and gate in {None, a.gate}]
    allowed = next((action for action in offered if action.allowed), None)
    name, proof = "", None
    if allowed is not None and verb.typed_name:
        name = terminal.ask(f"Type the run's name ({view.name}) to {verb.title.lower()}: ")
    if allowed is not None and not refuse and (verb.step_up or allowed.needs_step_up):
        proof = terminal.prove(person)
    phase = options["phase"]
    verb.perform(
        menu.Request(
            run_id=view.id,
            person=person,
            how=how,
            phase=phase or (view.current.number if verb.name == "start" else None),
            gate=gate,
            role=options["role"],
            digest=options.get("digest") or view.digest,
            comment=options["comment"] or options["evidence"],
            typed_name=name,
            approve=not refuse,
            values=dict(options.get("set") or ()),
            step_up=proof,
        )
    )


def _gate(view: RunView, options: dict[str, Any]) -> str:
    """The gate that ``sign`` means: the plan's without --phase; with it, the phase's start or its end."""
    number = options["phase"]
    if number is None:
        return "plan"
    start, end = f"start:{number}", f"phase:{number}"
    offered: list[Action] = [a for a in view.actions if a.verb == "sign" and a.gate in {start, end}]
    first = next((a for a in offered if a.allowed), None) or next(iter(offered), None)
    return first.gate if first is not None and first.gate else end


def _tick(run_id: int, item: str, evidence: str, asked: Person) -> None:
    """Tick the readiness item of that key, or else confirm the step of that key."""
    person, how = asked
    view = run_view(run_id, person=person)
    if any(line.key == item for line in view.readiness):
        readiness.tick(run_id, item=item, evidence=evidence, person=person, how=how)
        return
    steps = [(p, s) for p in view.phases for s in p.steps if s.key == item and s.confirm_role is not None]
    if not steps:
        raise Refused(f"{view.name} has no readiness item and no confirm step '{item}'.", rule="item")
    phase, _ = next(((p, s) for p, s in steps if s.state == "waiting"), steps[0])
    confirmations.confirm(run_id, phase=phase.number, step=item, evidence=evidence, person=person, how=how)


def settled(run_id: int, person: User) -> RunView:
    """The run once nothing is at work: a person, a signature or the end is next."""
    while True:
        view = run_view(run_id, person=person)
        rolling = view.state == "rolling_back" and view.current.state != "undo_failed"
        if (not rolling and view.current.state in SETTLED) or _waits_for_person(view):
            return view
        time.sleep(POLL_SECONDS)


def _waits_for_person(view: RunView) -> bool:
    return view.current.state in {"running", "undoing"} and any(
        step.state == "waiting" and step.confirm_text and not step.confirmed_by for step in view.current.steps
    )


def _problem(view: RunView, verb: str) -> str:
    """What went wrong while it was waited for; empty when nothing did."""
    phase = view.current
    if phase.state in {"failed", "undo_failed"}:
        return f"Phase {phase.number} {phase.state.replace('_', ' ')}: {phase.error}"
    if view.state == "on_hold" and verb not in {"hold", "pause", "show"}:
        return f"{view.name} is on hold: {view.hold_reason}"
    return ""
