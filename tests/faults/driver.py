"""The people of a run, who carry it from wherever it is to wherever a test wants it, through the services."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from django.db import InterfaceError, OperationalError, connection

from migration_runs.exceptions import Refused
from migration_runs.models import PhaseRun, SignOff
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import ConfirmStep
from migration_runs.services import confirmations, gates, runs, situation, step_up
from tests import control
from tests.faults.journal import Side
from tests.faults.scene import GIVE_UP_S

LOOK_EVERY_S = 0.05
MOST_RESCUES = 8
OUTAGE = (OperationalError, InterfaceError, psycopg.OperationalError)
"""A person whose page does not answer looks again a moment later."""

Deploy = Callable[[Side], None]


@dataclass
class Driver(control.Scene):
    """Six people. Each look at the run leads to at most one thing that one of them does.

    ``deploy`` is called with ``new`` or ``old`` when devops deploys that version. ``rescues`` are the things
    that people had to do beyond their routine: retry, resume, sign again. ``refusals`` is what they were told
    when they asked too early.
    """

    deploy: Deploy = lambda _version: None
    rescues: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    busy: bool = True
    """Whether people do more than look: False leaves the run to itself, but for signatures given already."""

    # -- going somewhere

    def until(self, reached: Callable[[], bool], what: str, *, give_up_s: float = 3 * GIVE_UP_S) -> None:
        """Do what people do until ``reached``. Raises AssertionError with where the run stands."""
        deadline = time.monotonic() + give_up_s
        while True:
            try:
                if reached():
                    return
                if self.busy:
                    self.look()
            except OUTAGE:
                connection.close()
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen: {what}; {self.standing()}")
            time.sleep(LOOK_EVERY_S)

    def to_start_of(self, number: int) -> None:
        """Until phase ``number`` may be started by its owner (10: until the run is completed)."""
        if number > 9:
            self.until(lambda: self.run.state == "completed", "the run is completed")
        elif number == 1:
            self.until(lambda: self.run.state == "approved", "the run is approved")
        else:
            self.until(lambda: self.phase(number).state == "ready", f"phase {number} is ready")

    def to_end_of(self, number: int) -> None:
        """Until every step of phase ``number`` is done; it is not signed yet."""
        self.until(
            lambda: self.phase(number).state in {"awaiting_sign_off", "done"}, f"phase {number} has worked"
        )

    def through(self, number: int) -> None:
        """Until phase ``number`` is signed."""
        self.until(lambda: self.phase(number).state == "done", f"phase {number} is done")

    def roll_back(self) -> None:
        """The on-call person rolls the run back. Does not wait."""
        person = self.people[Role.ONCALL]
        runs.roll_back_run(
            self.run_id,
            typed_name=self.run.name,
            step_up=step_up.prove(person, password=control.PASSWORD),
            person=person,
            how=control.HOW,
        )

    def to_rolled_back(self) -> None:
        """Roll back, unless that was asked for, and wait until everything is undone."""
        if self.run.state not in {"rolling_back", "rolled_back"}:
            self.until(self._asked_to_roll_back, "the rollback is taken")
        self.until(lambda: self.run.state == "rolled_back", "the run is rolled back")

    def _asked_to_roll_back(self) -> bool:
        if self.run.state != "rolling_back":
            self.roll_back()
        return True

    # -- one look

    def look(self) -> None:
        """What people do when they see the run as it is now; nothing, where a worker is at it."""
        try:
            match self.run.state:
                case "draft":
                    runs.submit_run(self.run_id, person=self.people[Role.DBA], how=control.HOW)
                case "awaiting_approval":
                    self._sign(gates.PLAN)
                case "approved":
                    self.start(1, evidence=None)
                case "in_progress":
                    self._in_progress()
                case "on_hold":
                    self._on_hold()
                case "rolling_back":
                    self._rolling_back()
        except Refused as refusal:
            self.refusals.append(str(refusal))

    def _in_progress(self) -> None:
        phase = self._current()
        match phase.state:
            case "ready":
                if phase.number == 9:
                    self._sign(gates.start_gate(9))
                self.start(phase.number, evidence=None)
            case "running":
                self._confirm(phase)
            case "awaiting_sign_off":
                self._sign(gates.phase_gate(phase.number))
            case "failed":
                self._rescue(f"retry phase {phase.number}: {phase.error}")
                person = self.people[phase.phase.owner]
                runs.retry_phase(self.run_id, person=person, how=control.HOW, number=phase.number)
            case "paused":
                self._resume()

    def _on_hold(self) -> None:
        if gates.missing(situation.look(self.run_id), gates.PLAN):
            self._rescue("sign again")
            self._sign(gates.PLAN)
        self._resume()

    def _resume(self) -> None:
        self._rescue(f"resume: {self.run.hold_reason}")
        runs.resume_run(self.run_id, person=self.people[Role.ONCALL], how=control.HOW)

    def _rolling_back(self) -> None:
        for phase in PhaseRun.objects.filter(run_id=self.run_id, state__in=["undoing", "undo_failed"]):
            if phase.state == "undo_failed":
                self._rescue(f"retry the rollback: {phase.error}")
                runs.retry_rollback(self.run_id, person=self.people[Role.ONCALL], how=control.HOW)
            else:
                self._confirm(phase)

    def _confirm(self, phase: PhaseRun) -> None:
        waiting = phase.waiting or {}
        if waiting.get("kind") != "confirmation":
            return
        undo = phase.state == "undoing"
        if phase.confirmations.filter(step_key=waiting["step"], undo=undo).exists():
            return
        step = Plan.from_json(self.run.plan.body).step(phase.number, waiting["step"])
        assert isinstance(step, ConfirmStep)
        if step.role == Role.DEVOPS:
            self.deploy("old" if undo else "new")
        confirmations.confirm(
            self.run_id, phase=phase.number, step=step.key, evidence="build 42",
            person=self.people[step.role], how=control.HOW,
        )  # fmt: skip

    def _sign(self, gate: str) -> None:
        for role in gates.missing(situation.look(self.run_id), gate):
            self.sign(role, gate, evidence=None)

    def _rescue(self, text: str) -> None:
        self.rescues.append(text[:300])
        assert len(self.rescues) <= MOST_RESCUES, f"people cannot help this run: {self.standing()}"

    def _current(self) -> PhaseRun:
        return PhaseRun.objects.filter(run_id=self.run_id).exclude(state="done").order_by("number")[0]

    # -- words

    def standing(self) -> str:
        """Where the run stands, and the end of its log, for a failed test."""
        try:
            run = self.run
            phases = [
                f"{p.number} {p.state} {p.waiting or ''} {p.error} lease={p.lease_worker}"
                for p in PhaseRun.objects.filter(run_id=self.run_id).order_by("number")
                if p.state not in {"pending", "done"}
            ]
            log = list(run.log_lines.order_by("-id").values_list("text", flat=True)[:8])
            signed = SignOff.objects.filter(run=run, void_at=None).count()
        except OUTAGE as error:
            connection.close()
            return f"the control database does not answer: {error}"
        return (
            f"run {run.state} {run.hold_reason}; phases {phases}; {signed} signatures; "
            f"refused {self.refusals[-2:]}; rescues {self.rescues}; log {log}"
        )
