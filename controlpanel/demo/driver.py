"""Drives a whole run as the six people would, through the services and real workers, and takes the time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import User

from controlpanel.demo.people import username
from migration_runs import menu, phases
from migration_runs.phases import Role
from migration_runs.runbook.steps import ConfirmStep
from migration_runs.selectors.phase_views import PhaseView, StepView
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.run_views import RunView
from migration_runs.services import confirmations, readiness, step_up
from migration_runs.services.plan_store import plan_of

HOW = "demo"
LOOK_EVERY_S = 0.4
PEOPLE_RESUME_AT_MOST = 3  # holds by a missed check on a starved machine; a person would look and resume
STANDSTILL_S = 300.0
"""No change of the run for so long, or half a window if that is longer: nobody works on it."""

EVIDENCE = (
    "https://ci.example.org/bars/builds/4711 build 4711 commit 9f3c1ae477b0 passed, reviewed by j.tan",
    "build 4711",
    "9f3c1ae477b0",
)


class DemoFailedError(RuntimeError):
    """The run did not do what it should; the message says where it stands."""


@dataclass(frozen=True)
class PhaseTime:
    """How long a phase took, from its start to its signature."""

    number: int
    key: str
    state: str
    seconds: float


class Driver:
    """The six people of one run.

    ``deploy`` is called with ``migrated`` or ``legacy`` when devops would deploy; ``watch`` on each look: it
    raises when the demo's processes died, or starts them again; ``say`` gets a line for people now and then.
    """

    def __init__(
        self,
        run_id: int,
        *,
        password: str,
        deploy: Callable[[str], None],
        watch: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.run_id = run_id
        self._password = password
        self._deploy = deploy
        self._watch = watch
        self._say = say
        self._said = ""
        self._resumed = 0

    def view(self, role: Role = Role.DBA) -> RunView:
        """The run as the person of a role sees it."""
        return run_view(self.run_id, person=_person(role))

    def submit(self) -> None:
        """The author asks for signatures, unless that was done before."""
        if self.view().state == "draft":
            self._do("submit", Role.DBA)

    def until_approved(self) -> None:
        """The author submits, those who are asked approve, and people tick what comes before the start."""
        self.submit()
        self._sign("plan", "Plan, decisions and risks read.")
        self._tick("approvers", "day_before", "day_of")

    def through_phase(self, number: int) -> None:
        """Drive one phase from where it is to signed."""
        fixed = phases.by_number(number)
        if self._phase(number).state == "ready" or (number == 1 and self.view().state == "approved"):
            self._sign(f"start:{number}", "Window whole, verification clean.")
            owner = self._phase(number).owner_role
            self._say(f"phase {number} {fixed.key}: {username(owner)} starts")
            self._do("start", owner, phase=number)
        self._until(lambda view: view.phases[number - 1].state in {"awaiting_sign_off", "done"})
        self._sign(f"phase:{number}", "Read what the steps found.")
        self._until(lambda view: view.phases[number - 1].state == "done")

    def roll_back(self) -> None:
        """The on-call person rolls back; whoever is asked confirms; until everything is undone."""
        view = self.view(Role.ONCALL)
        self._say(f"{username(Role.ONCALL)} rolls {view.name} back")
        self._do("roll_back", Role.ONCALL, typed_name=view.name)
        self._until(lambda view: view.state == "rolled_back")

    def times(self) -> list[PhaseTime]:
        """How long each phase took; 0 for one that was never started."""
        return [
            PhaseTime(
                phase.number,
                phase.key,
                phase.state,
                round(phase.actual.total_seconds(), 3) if phase.actual else 0.0,
            )
            for phase in self.view().phases
        ]

    # -- what people do

    def _phase(self, number: int) -> PhaseView:
        return self.view().phases[number - 1]

    def _sign(self, gate: str, comment: str) -> None:
        for sign_off in [s for s in self.view().sign_offs if s.gate == gate and s.state != "given"]:
            self._do("sign", sign_off.role, gate=gate, comment=comment)

    def _do(
        self,
        verb: str,
        role: Role,
        *,
        phase: int | None = None,
        gate: str | None = None,
        comment: str = "",
        typed_name: str = "",
    ) -> None:
        person = _person(role)
        menu.MENU[verb].perform(
            menu.Request(
                run_id=self.run_id,
                person=person,
                how=HOW,
                phase=phase,
                gate=gate,
                role=role.value if gate else None,
                digest=self.view().digest,
                comment=comment,
                typed_name=typed_name,
                step_up=step_up.prove(person, password=self._password),
            )
        )

    def _tick(self, *groups: str) -> None:
        for item in self.view().readiness:
            if item.group in groups and not item.automatic and not item.ticked:
                readiness.tick(
                    self.run_id, item=item.key, evidence="done", person=_person(item.role), how=HOW
                )

    def _until(self, reached: Callable[[RunView], bool]) -> None:
        """Look at the run, and answer what it asks people, until it is where it should be.

        Raises DemoFailedError when nothing at all has moved for a long time: then no worker does its work.
        """
        seen, moved = "", time.monotonic()
        while True:
            view = self.view()
            if reached(view):
                return
            now = _standing(view)
            if now != seen:
                seen, moved = now, time.monotonic()
            patience = max(STANDSTILL_S, view.window_hours * 3600 / view.clock_speed / 2)
            if time.monotonic() - moved > patience:
                raise DemoFailedError(
                    f"nothing has moved for {patience:.0f} s: the run is {view.state}, phase "
                    f"{view.current.number} {view.current.state}. Look at the workers' logs.\n"
                    f"{_last_lines(view)}"
                )
            self._watch()
            self._answer(view)
            time.sleep(LOOK_EVERY_S)

    def _answer(self, view: RunView) -> None:
        phase = view.current
        if phase.state in {"failed", "undo_failed"}:
            raise DemoFailedError(
                f"phase {phase.number} {phase.key} {phase.state}: {phase.error}\n{_last_lines(view)}"
            )
        if view.state == "on_hold":
            self._resume(view)
            return
        if phase.state == "paused" and view.state == "in_progress":
            self._do("resume", phase.owner_role)
        for step in phase.steps:
            if step.state == "waiting" and step.confirm_role is not None and not step.confirmed_by:
                self._confirm(view, phase, step)
        if phase.waiting and phase.waiting != self._said:
            self._said = phase.waiting
            self._say(f"phase {phase.number}: {phase.waiting}")

    def _resume(self, view: RunView) -> None:
        """A check that was missed or failed holds the run: its window is over, people start a fresh one."""
        self._resumed += 1
        if self._resumed > PEOPLE_RESUME_AT_MOST:
            raise DemoFailedError(f"the run was held again: {view.hold_reason}\n{_last_lines(view)}")
        self._say(f"on hold: {view.hold_reason}; {username(Role.ONCALL)} resumes")
        self._do("resume", Role.ONCALL)

    def _confirm(self, view: RunView, phase: PhaseView, step: StepView) -> None:
        declared = plan_of(view.digest).step(phase.number, step.key)
        assert isinstance(declared, ConfirmStep)
        undoing = phase.state == "undoing"
        if declared.role == Role.DEVOPS:
            self._deploy("legacy" if undoing else "migrated")
        evidence = next((e for e in EVIDENCE if re.search(declared.evidence_pattern, e)), EVIDENCE[0])
        self._say(f"phase {phase.number}: {username(declared.role)} confirms {step.key}")
        confirmations.confirm(
            self.run_id,
            phase=phase.number,
            step=step.key,
            evidence=evidence,
            person=_person(declared.role),
            how=HOW,
        )


def _person(role: Role) -> User:
    return User.objects.get(username=username(role))


def _standing(view: RunView) -> str:
    """Everything about a run that moves while somebody works on it."""
    steps = [(s.place, s.state, s.done, s.note, s.summary) for s in view.current.steps]
    checks = sorted(view.window.counts.items()) if view.window else []
    return repr((view.state, view.current.number, view.current.state, view.current.waiting, steps, checks))


def _last_lines(view: RunView) -> str:
    return "\n".join(
        f"  {line.at:%H:%M:%S} {line.level:5} {line.place} {line.text}" for line in view.log[-12:]
    )
