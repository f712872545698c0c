"""The state machine's bench: asks a service and the model the same, and knows what must always be so."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis.stateful import RuleBasedStateMachine, invariant

from migration_runs import sweeper
from migration_runs.exceptions import Refused
from migration_runs.models import (
    AuditEvent,
    Confirmation,
    DueCheck,
    MonitoringWindow,
    PhaseRun,
    Run,
    SignOff,
    StepRun,
)
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.services import (
    audit,
)
from migration_runs.services.step_up import StepUp
from migration_runs.states import PHASE_TRANSITIONS, RUN_TRANSITIONS, PhaseState, RunState, may_move
from tests import plans
from tests.control import HOW, Scene, control_plan, make_person
from tests.integration.run_model_workers import FullModel

SPEED = 3_600_000.0
"""An hour of the market in a millisecond: a window is over before it is looked at."""


def plan() -> Plan:
    """A confirmation in phase 5, a window in phase 8, two signatures on the plan and on phase 4."""
    watch = {"kind": "monitor", "key": "watch", "title": "watch", "undo_none": "it only reads"}
    body = control_plan(
        {5: [plans.confirm_step()], 8: [watch]}, approvals=("approver", "engineer"), clock_speed=SPEED
    ).model_dump(mode="json")
    body["runbook"]["retention_days"] = SPEED
    body["runbook"]["phases"][3]["sign_off"] = ["dba", "approver"]
    return Plan.model_validate(body)


class RunBench(RuleBasedStateMachine):
    """One run, everybody who may touch it, and the model beside it. Rolled back when it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.around = transaction.atomic()
        self.around.__enter__()
        self.scene = Scene.draft(plan())
        self.people: dict[str, User] = {person.username: person for person in self.scene.people.values()}
        self.people["mia"] = make_person("mia", Role.DEVOPS, Role.ENGINEER)
        self.people["root"] = make_person("root", superuser=True)
        self.model = FullModel()
        self.told = {"run": "draft"} | {f"phase {n}": "pending" for n in range(1, 10)}
        self.seq = audit.head().seq
        self.dice = random.Random(0)

    def teardown(self) -> None:
        try:
            assert audit.verify().intact
        finally:
            transaction.set_rollback(True)
            self.around.__exit__(None, None, None)

    # -- asking a service and the model the same

    def ask(self, verb: str, work: Callable[[], object], expected: bool) -> None:
        """The service does it, or refuses it, as the model says; a refusal is told and changes nothing."""
        before = None if expected or self.model.voided else self.dump()
        try:
            work()
            done = True
        except Refused:
            done = False
        assert done == expected, f"{verb}: the service {'did' if done else 'refused'} it"
        events = self.heard()
        assert any(action.startswith("refused.") for action in events) == (not expected), events
        assert before is None or before == self.dump(), f"{verb} was refused but has changed something"

    def dump(self) -> list[Any]:
        """Every row of the run but the audit's."""
        return [
            list(rows.order_by("pk").values())
            for rows in (
                Run.objects.filter(pk=self.run_id),
                PhaseRun.objects.filter(run_id=self.run_id),
                SignOff.objects.filter(run_id=self.run_id),
                StepRun.objects.filter(phase__run_id=self.run_id),
                Confirmation.objects.filter(phase__run_id=self.run_id),
                MonitoringWindow.objects.filter(run_id=self.run_id),
                DueCheck.objects.filter(window__run_id=self.run_id),
            )
        ]

    def heard(self) -> list[str]:
        """New events. Each that moves something begins where the one before it ended: one event a move."""
        events = list(AuditEvent.objects.filter(seq__gt=self.seq).order_by("seq"))
        for event in events:
            self.seq = event.seq
            if "from" in event.detail:
                name = event.object.partition(" of ")[0] if event.action.startswith("phase.") else "run"
                assert event.detail["from"] == self.told[name] != event.detail["to"], event.detail
                self.told[name] = event.detail["to"]
        return [event.action for event in events]

    @property
    def run_id(self) -> int:
        return self.scene.run_id

    def by(self, who: str) -> dict[str, Any]:
        return {"person": self.people[who], "how": HOW}

    def proof(self, who: str, given: bool = True) -> StepUp | None:
        return StepUp(self.people[who].pk, timezone.now(), HOW) if given else None

    # -- after every step

    @invariant()
    def all_is_well(self) -> None:
        run = self.scene.run
        rows = {row.number: row for row in PhaseRun.objects.filter(run_id=self.run_id).order_by("number")}
        states = [row.state for row in rows.values()]
        self.is_where_the_model_has_it(run, rows)
        self.fits_together(run.state, states)
        self.sweeper_knows(rows)
        self.raw_moves(run.state, states)
        self.model.voided = False

    def is_where_the_model_has_it(self, run: Run, rows: dict[int, PhaseRun]) -> None:
        self.heard()
        now = {"run": self.model.state} | {f"phase {n}": p.state for n, p in self.model.phases.items()}
        assert {"run": run.state} | {f"phase {n}": row.state for n, row in rows.items()} == now
        assert self.told == now, "a move that the audit does not tell"
        for number, phase in self.model.phases.items():
            leased = (bool(rows[number].lease_worker), rows[number].token)
            assert leased == (bool(phase.lease), phase.token)

    def fits_together(self, run: str, states: list[str]) -> None:
        """What must be so of any run and its phases, whoever did what."""
        begun = [state for state in states if state not in {"pending", "ready", "done", "undone"}]
        assert len(begun) <= 1, states
        assert states.count("ready") <= 1, states
        if run in {"draft", "awaiting_approval", "approved", "cancelled"}:
            assert set(states) == {"pending"}, (run, states)
        elif run in {"in_progress", "on_hold"}:
            done = states.count("done")
            assert states == ["done"] * done + states[done : done + 1] + ["pending"] * (8 - done), (
                run,
                states,
            )
            assert states[done] not in {"pending", "undoing", "undone", "undo_failed"}, (run, states)
        elif run in {"completed", "sealed"}:
            assert set(states) == {"done"}, (run, states)
        elif run == "rolled_back":
            assert set(states) <= {"pending", "ready", "undone"}, states
        assert not (run == "on_hold" and "running" in states), "a phase runs on though its run is held"

    def sweeper_knows(self, rows: dict[int, PhaseRun]) -> None:
        """Exactly the phases that should be worked on, and are not, are told to workers."""
        hinted = {hint.object_id for hint in sweeper.phases_to_work_on()}
        for number, phase in self.model.phases.items():
            wanted = phase.state in {"running", "pausing", "undoing"} and phase.lease != "held"
            if not phase.waiting or phase.state == "pausing" or not wanted:
                assert (rows[number].pk in hinted) == wanted, f"phase {number} is {phase}"

    def raw_moves(self, run: str, states: list[str]) -> None:
        """A random move of the run, of one phase and of all nine, past the services."""
        dice, current = self.dice, self.model.current
        number = current if current and dice.random() < 0.7 else dice.randint(1, 9)
        phases = PhaseRun.objects.filter(run_id=self.run_id)

        def raw(table: str, key: str, *values: str | int) -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE {table} SET state = %s WHERE {key}", values)

        to: str = dice.choice(list(RunState))
        legal = to == run or may_move(RUN_TRANSITIONS, run, to)
        if dice.random() < 0.5:
            self.moves(lambda: Run.objects.filter(pk=self.run_id).update(state=to), legal)
        else:
            self.moves(lambda: raw("migration_runs_run", "id = %s", to, self.run_id), legal)
        one: str = dice.choice(list(PhaseState))
        legal = one == states[number - 1] or may_move(PHASE_TRANSITIONS, states[number - 1], one)
        if dice.random() < 0.5:
            self.moves(lambda: phases.filter(number=number).update(state=one), legal)
        else:
            key = "run_id = %s AND number = %s"
            self.moves(lambda: raw("migration_runs_phaserun", key, one, self.run_id, number), legal)
        every: str = dice.choice(list(PhaseState))
        legal = all(every == state or may_move(PHASE_TRANSITIONS, state, every) for state in states)
        self.moves(lambda: raw("migration_runs_phaserun", "run_id = %s", every, self.run_id), legal)

    def moves(self, work: Callable[[], object], legal: bool) -> None:
        try:
            with transaction.atomic():
                work()
                transaction.set_rollback(True)
            moved = True
        except IntegrityError as error:
            if "cannot move from" not in str(error):
                raise
            moved = False
        assert moved == legal, "the trigger and states.py disagree"
