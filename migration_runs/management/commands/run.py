"""``manage.py run``: everything that a person can do with a run, in a terminal. The services are the web's own.

Exit codes: 0 done, 1 refused or failed (the reason on stderr), 2 wrong usage.
"""

from __future__ import annotations

import getpass
import json
import os
import pwd
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from migration_runs import menu
from migration_runs.exceptions import EngineError, PhasegateError, Refused
from migration_runs.management import run_output
from migration_runs.models import Run
from migration_runs.selectors import rollback
from migration_runs.selectors.run_page import log_lines, run_view
from migration_runs.selectors.runs_list import run_rows
from migration_runs.selectors.views import Action, RunView
from migration_runs.services import confirmations, plans, readiness, step_up
from migration_runs.services.step_up import StepUp

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
    "retry": "retry",
    "verify": "verify",
    "rollback": "roll_back",
    "cancel": "cancel",
    "seal": "seal",
}
SETTLED = frozenset(
    {"awaiting_sign_off", "done", "failed", "paused", "undone", "undo_failed", "ready", "pending"}
)
POLL_SECONDS = 0.3


class Command(BaseCommand):
    """Write, sign, drive, hold and roll back runs."""

    help = __doc__.splitlines()[0] if __doc__ else ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand per verb; all take --as, --json and --wait."""
        commands = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        new = commands.add_parser("new", help="write a run: a draft with its plan frozen")
        new.add_argument("--runbook", required=True, metavar="SLUG")
        new.add_argument("--target", required=True, metavar="ALIAS")
        new.add_argument("--data-decision", required=True, choices=["keep", "delete"])
        new.add_argument("--param", action="append", default=[], metavar="K=V", type=_pair)
        new.add_argument(
            "--clock-speed", type=float, default=1.0, help="speed of the target's market clock (default 1)"
        )
        new.add_argument(
            "--planned-start", type=_moment, help="UTC, for example 2026-03-05T18:00 (default: now)"
        )
        for name, verb in COMMANDS.items():
            command = commands.add_parser(name, help=menu.MENU[verb].consequence)
            command.add_argument("run_id", type=int, metavar="ID")
            command.add_argument("--phase", type=int, choices=range(1, 10), metavar="N")
            command.add_argument("--role")
            command.add_argument("--evidence", default="", metavar="TEXT")
            command.add_argument("--comment", default="", metavar="TEXT")
            if name == "pause":
                command.add_argument(
                    "--now", action="store_true", help="cancel the statement that is running"
                )
            if name == "sign":
                command.add_argument("--refuse", action="store_true", help="refuse the signature instead")
                command.add_argument("--digest", help="sign only if this is the plan's digest")
            if name == "rollback":
                command.add_argument("--preview", action="store_true", help="show what it would do and stop")
        ticking = commands.add_parser("tick", help="tick a readiness item, or confirm a step, with evidence")
        ticking.add_argument("run_id", type=int, metavar="ID")
        ticking.add_argument("item", metavar="ITEM", help="a readiness item's or a confirm step's key")
        ticking.add_argument("--evidence", default="", metavar="TEXT")
        for name, text in (("show", "where a run stands"), ("logs", "a run's log"), ("list", "all runs")):
            command = commands.add_parser(name, help=text)
            command.add_argument("run_id", type=int, metavar="ID", nargs="?" if name == "list" else None)
        for command in commands.choices.values():
            command.add_argument("--as", dest="person", metavar="USER", help="act as this account (see docs)")
            command.add_argument("--json", action="store_true", help="one JSON object on stdout")
            command.add_argument("--wait", action="store_true", help="wait until the phase has settled")

    def handle(self, *, verb: str, **options: Any) -> None:  # type: ignore[override]
        """Do it as the person; every refusal ends with its reason on stderr and exit code 1."""
        terminal = Terminal(self.stdout, self.stderr, as_json=options["json"])
        try:
            person, how = who(options["person"])
            if verb == "list":
                terminal.runs()
                return
            if verb == "logs":
                terminal.logs(options["run_id"])
                return
            run_id = self._act(verb, options, person, how, terminal)
            view = _settled(run_id, person) if options["wait"] else run_view(run_id, person=person)
            terminal.run(view)
        except Run.DoesNotExist:
            raise CommandError(f"there is no run {options.get('run_id')}") from None
        except (Refused, EngineError, PhasegateError) as error:
            raise CommandError(str(error)) from error
        if options["wait"] and view.current.state in {"failed", "undo_failed"}:
            raise CommandError(f"phase {view.current.number} failed: {view.current.error}")

    def _act(self, verb: str, options: dict[str, Any], person: User, how: str, terminal: Terminal) -> int:
        if verb == "new":
            run = plans.create_run(
                runbook_slug=options["runbook"],
                target=options["target"],
                data_decision=options["data_decision"],
                parameters=dict(options["param"]),
                clock_speed=options["clock_speed"],
                planned_start=options["planned_start"],
                author=person,
                how=how,
            )
            return run.pk
        run_id: int = options["run_id"]
        if verb == "show":
            return run_id
        if verb == "tick":
            _tick(run_id, options["item"], options["evidence"], person, how)
            return run_id
        if verb == "rollback" and options["preview"]:
            terminal.preview(rollback.preview(run_id))
            return run_id
        name = "pause_now" if verb == "pause" and options["now"] else COMMANDS[verb]
        perform(menu.MENU[name], run_view(run_id, person=person), options, person, how)
        return run_id


def perform(verb: menu.Verb, view: RunView, options: dict[str, Any], person: User, how: str) -> None:
    """Use a verb on a run, asking at the terminal for the run's name and the password where it wants them."""
    gate = _gate(view, options) if verb.name == "sign" else None
    action = next((a for a in view.actions if a.verb == verb.name and (gate is None or a.gate == gate)), None)
    typed_name = (
        _ask(f"Type the run's name ({view.name}) to {verb.title.lower()}: ") if verb.typed_name else ""
    )
    proof = _prove(person) if verb.step_up or (action is not None and action.needs_step_up) else None
    verb.perform(
        menu.Request(
            run_id=view.id,
            person=person,
            how=how,
            phase=options.get("phase") or view.current.number,
            gate=gate,
            role=options.get("role"),
            digest=options.get("digest") or view.digest,
            comment=options.get("comment") or options.get("evidence") or "",
            typed_name=typed_name,
            approve=not options.get("refuse", False),
            step_up=proof,
        )
    )


def _gate(view: RunView, options: dict[str, Any]) -> str:
    """The gate that ``sign`` means: the plan without --phase; with it, the start of a phase that is ready, or its end."""
    number = options.get("phase")
    if number is None:
        return "plan"
    wanted: list[Action] = [a for a in view.actions if a.verb == "sign" and a.gate in {f"start:{number}", f"phase:{number}"}]  # fmt: skip
    open_now = next((a.gate for a in wanted if a.allowed), None) or next((a.gate for a in wanted), None)
    return open_now or f"phase:{number}"


def _tick(run_id: int, item: str, evidence: str, person: User, how: str) -> None:
    """A readiness item of that key, or else the confirm step of that key that waits."""
    view = run_view(run_id, person=person)
    if any(line.key == item for line in view.readiness):
        readiness.tick(run_id, item=item, evidence=evidence, person=person, how=how)
        return
    for phase in view.phases:
        if any(step.key == item and step.confirm_role is not None for step in phase.steps):
            confirmations.confirm(
                run_id, phase=phase.number, step=item, evidence=evidence, person=person, how=how
            )
            return
    raise Refused(f"run {view.name} has no readiness item and no confirm step called '{item}'", rule="item")


def _settled(run_id: int, person: User) -> RunView:
    """The run once nothing is at work: a person, a signature, a window or the end is next."""
    while True:
        view = run_view(run_id, person=person)
        rolling = view.state == "rolling_back" and view.current.state != "undo_failed"
        if not rolling and view.current.state in SETTLED:
            return view
        if view.current.waiting and view.current.state in {"running", "undoing"} and _needs_person(view):
            return view
        time.sleep(POLL_SECONDS)


def _needs_person(view: RunView) -> bool:
    return any(
        step.state == "waiting" and step.confirm_text and not step.confirmed_by for step in view.current.steps
    )


def who(name: str | None) -> tuple[User, str]:
    """The account to act as, and how the panel knows: ``demo`` for --as in demo mode, else the mapped shell user.

    Raises Refused when neither applies: a name on a command line is no proof of a person.
    """
    shell = _shell_user()
    mapped = settings.PHASEGATE_SHELL_USERS.get(shell)
    if name is None and mapped is None:
        raise Refused(
            f"shell user {shell} is not mapped to an account: set PHASEGATE_SHELL_USERS to {shell}=ACCOUNT"
            + (", or name one with --as" if settings.PHASEGATE_DEMO else ""),
            rule="identity",
        )
    if name is not None and name != mapped and not settings.PHASEGATE_DEMO:
        raise Refused(
            f"--as {name} is refused: it works in demo mode, or for the account to which the shell user is mapped",
            rule="identity",
        )
    username = name or mapped
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise Refused(f"there is no active account '{username}'", rule="identity")
    return person, f"shell:{shell}" if username == mapped else "demo"


def _shell_user() -> str:
    """Who runs this process, as the operating system knows it; the environment's USER proves nothing."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _prove(person: User) -> StepUp:
    return step_up.prove(person, password=_ask(f"Password of {person.username}: ", secret=True))


def _ask(prompt: str, *, secret: bool = False) -> str:
    """An answer from the terminal, or a line of standard input where there is none (a pipe in a script)."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt) if secret else input(prompt)
    line = sys.stdin.readline()
    if not line:
        raise Refused(f"{prompt.strip().rstrip(':')}: nothing was typed", rule="step-up")
    return line.rstrip("\n")


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise ValueError(text)
    return name, value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class Terminal:
    """Writes runs for people, or one JSON object for programs."""

    def __init__(self, stdout: OutputWrapper, stderr: OutputWrapper, *, as_json: bool) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._as_json = as_json

    def run(self, view: RunView) -> None:
        """Where a run stands."""
        self._write(lambda: run_output.run_json(view), lambda: run_output.run_text(view))

    def runs(self) -> None:
        """All runs, newest first."""
        rows = run_rows(list(Run.objects.select_related("author", "plan").order_by("-id")))
        self._write(lambda: run_output.rows_json(rows.values()), lambda: run_output.rows_text(rows.values()))

    def logs(self, run_id: int) -> None:
        """A run's whole log."""
        Run.objects.get(pk=run_id)
        lines = log_lines(run_id)
        self._write(lambda: run_output.log_json(lines), lambda: run_output.log_text(lines))

    def preview(self, preview: Any) -> None:
        """What a rollback would do."""
        if not self._as_json:
            self._stdout.write(run_output.preview_text(preview))

    def _write(self, as_json: Callable[[], Any], as_text: Callable[[], str]) -> None:
        self._stdout.write(json.dumps(as_json(), default=str) if self._as_json else as_text())
