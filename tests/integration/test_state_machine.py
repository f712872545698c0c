"""Any order of verbs by anybody: the services do what a model of them says, and the database agrees.

Hypothesis chooses people, verbs, and what workers, checks and the verification tell. After every step the run
is where the model has it, the audit tells the way there move by move, what was refused has changed nothing,
and raw SQL as the application's role can make exactly the moves of ``states.py``.

``--hypothesis-profile=long`` plays many more runs, chosen anew each time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from migration_runs import sweeper
from migration_runs.engine.outcome import Outcome, Waiting
from migration_runs.exceptions import LeaseLost, Refused
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
    checks,
    clock,
    confirmations,
    leases,
    progress,
    runs,
    sign_offs,
    verification,
    window,
)
from migration_runs.services.step_up import StepUp
from migration_runs.states import PHASE_TRANSITIONS, RUN_TRANSITIONS, PhaseState, RunState, may_move
from tests import plans
from tests.control import CLEAN, DIRTY, EVIDENCE, HOW, Scene, check_outcome, control_plan, make_person
from tests.integration import run_model
from tests.integration.run_model_workers import FullModel

SPEED = 3_600_000.0
"""An hour of the market in a millisecond: a window is over before it is looked at."""

DETOURS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pause": ({}, {"now": False}),
    "verify": ({}, {}),
    "hold": ({}, {"reason": "a look"}),
    "seal": ({}, {"wait": True}),
    "roll_back": ({}, {"proof": True, "name": True, "seldom": 1}),
    "confirm": ({"evidence": "done-it"}, {"evidence": "done-it"}),
}
"""Arguments of the model's verb, and of the rule of the same name."""

people = st.sampled_from(sorted(run_model.ROLES))
numbers = st.integers(1, 9)
gates = st.sampled_from(["plan", "start:9", *(f"phase:{n}" for n in range(1, 10))])
mostly = st.sampled_from([True, True, True, False])
RUNS, PHASES = "migration_runs_run", "migration_runs_phaserun"


def plan() -> Plan:
    """A confirmation in phase 5, a window in phase 8, two signatures on the plan and on phase 4."""
    watch = {"kind": "monitor", "key": "watch", "title": "watch", "undo_none": "it only reads"}
    body = control_plan(
        {5: [plans.confirm_step()], 8: [watch]}, approvals=("approver", "engineer"), clock_speed=SPEED
    ).model_dump(mode="json")
    body["runbook"]["retention_days"] = SPEED
    body["runbook"]["phases"][3]["sign_off"] = ["dba", "approver"]
    return Plan.model_validate(body)


class RunMachine(RuleBasedStateMachine):
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

    # -- verbs of people

    @rule(
        who=people,
        verb=st.sampled_from(["submit", "withdraw", "cancel", "resume", "retry", "retry_rollback"]),
    )
    def plain(self, who: str, verb: str) -> None:
        services: dict[str, Callable[..., object]] = {
            "submit": runs.submit_run, "withdraw": runs.withdraw_run, "cancel": runs.cancel_run,
            "resume": runs.resume_run, "retry": runs.retry_phase, "retry_rollback": runs.retry_rollback,
        }  # fmt: skip
        expected = getattr(self.model, verb)(who)
        self.ask(verb, lambda: services[verb](self.run_id, **self.by(who)), expected)

    @rule(
        who=people,
        gate=gates,
        approve=mostly,
        comment=st.sampled_from(["no", ""]),
        proof=mostly,
        digest=mostly,
    )
    def sign(self, who: str, gate: str, approve: bool, comment: str, proof: bool, digest: bool) -> None:
        plan_digest = self.scene.run.plan_id if digest else "0" * 64
        expected = (approve or digest) and self.model.sign(
            who, gate, approve=approve, comment=comment, whole=proof and digest
        )
        self.ask("sign", lambda: sign_offs.sign(
            self.run_id, gate=gate, digest=plan_digest, approve=approve, comment=comment,
            step_up=self.proof(who, proof), evidence=EVIDENCE, **self.by(who),
        ), expected)  # fmt: skip

    @rule(who=people, number=st.integers(0, 10), proof=mostly)
    def start(self, who: str, number: int, proof: bool) -> None:
        expected = self.model.start(who, number, proof=proof)
        self.ask("start", lambda: runs.start_phase(
            self.run_id, number=number, step_up=self.proof(who, proof), evidence=EVIDENCE, **self.by(who)
        ), expected)  # fmt: skip

    @rule(who=people, now=st.booleans())
    def pause(self, who: str, now: bool) -> None:
        expected = self.model.pause(who, now=now)
        self.ask("pause", lambda: runs.pause_phase(self.run_id, now=now, **self.by(who)), expected)

    @rule(who=people, reason=st.sampled_from(["a look", "a look", " "]))
    def hold(self, who: str, reason: str) -> None:
        expected = self.model.hold(who, reason=reason.strip())
        self.ask("hold", lambda: runs.hold_run(self.run_id, reason=reason, **self.by(who)), expected)

    @rule(who=people, evidence=st.sampled_from(["done-it", "x"]))
    def confirm(self, who: str, evidence: str) -> None:
        expected = self.model.confirm(who, evidence)
        self.ask("confirm", lambda: confirmations.confirm(
            self.run_id, phase=5, step="asked", evidence=evidence, **self.by(who)
        ), expected)  # fmt: skip

    @rule(who=people)
    def verify(self, who: str) -> None:
        expected = self.model.verify(who)
        self.ask("verify", lambda: verification.request(self.run_id, **self.by(who)), expected)

    @rule(who=people, wait=st.booleans())
    def seal(self, who: str, wait: bool) -> None:
        if wait and self.model.state == "completed":
            Run.objects.filter(pk=self.run_id).update(seal_after=timezone.now() - timedelta(seconds=1))
            self.model.retained = False
        self.ask("seal", lambda: runs.seal_run(self.run_id, **self.by(who)), self.model.seal(who))

    @rule(who=people, proof=mostly, name=mostly, seldom=st.integers(0, 3))
    def roll_back(self, who: str, proof: bool, name: bool, seldom: int) -> None:
        name = name and not seldom
        typed = self.scene.run.name if name else "another"
        expected = self.model.roll_back(who, proof=proof, name=name)
        self.ask("roll_back", lambda: runs.roll_back_run(
            self.run_id, typed_name=typed, step_up=self.proof(who, proof), **self.by(who)
        ), expected)  # fmt: skip

    @rule()
    def emil_changes_sides(self) -> None:
        """A role is taken away, and given back."""
        mine = self.model.roles["emil"]
        (mine.discard if "engineer" in mine else mine.add)("engineer")
        self.people["emil"].groups.set(Group.objects.filter(name__in=mine))

    # -- workers, checks, the verification

    @rule(number=numbers)
    def claim(self, number: int) -> None:
        token = leases.claim(self.scene.phase(number).pk, worker="worker")
        assert (token is not None) == self.model.claim(number)
        assert token in {None, self.model.token}

    @rule()
    def worker_lost(self) -> None:
        """Its lease is over without having been given back."""
        for number, phase in self.model.phases.items():
            if phase.lease == "held":
                rows = PhaseRun.objects.filter(run_id=self.run_id, number=number)
                rows.update(lease_until=timezone.now() - timedelta(seconds=1))
                phase.lease = "lost"

    @rule(number=numbers, back=st.integers(0, 2), give_back=st.booleans())
    def lease(self, number: int, back: int, give_back: bool) -> None:
        """Renewed or given back, with the phase's token or an older one."""
        phase, row = self.model.phases[number], self.scene.phase(number)
        ours = back == 0
        if give_back:
            assert leases.release(row.pk, token=phase.token - back) == ours
            phase.lease = "" if ours else phase.lease
        else:
            held = ours and bool(phase.lease)
            assert leases.renew(row.pk, token=phase.token - back) == held
            phase.lease = "held" if held else phase.lease

    @rule(
        number=numbers, back=st.sampled_from([0, 0, 0, 1]),
        status=st.sampled_from(["finished", "finished", "failed", "waiting", "paused"]),
    )  # fmt: skip
    def outcome(self, number: int, back: int, status: Any) -> None:
        self.tell(number, status, back=back)

    def tell(self, number: int, status: Any, back: int = 0) -> None:
        """A worker tells how its turn ended."""
        phase, row = self.model.phases[number], self.scene.phase(number)
        kind: Any = {5: "confirmation", 8: "window"}.get(number, "drain")
        waiting = Waiting(
            step={5: "asked", 8: "watch"}.get(number, "holds"), kind=kind, text="until it is so"
        )
        said = Outcome(
            status=status, waiting=waiting if status == "waiting" else None, error="it does not hold"
        )
        before = self.dump() if back else None
        try:
            progress.record_outcome(row.pk, token=phase.token - back, outcome=said)
        except LeaseLost:
            assert before == self.dump(), "an outcome under an old token, or one that was refused wrongly"
            return
        assert not back, "an outcome under an old token was taken"
        self.model.outcome(number, status, kind)
        time.sleep(0.005 if kind == "window" else 0)  # every round of a window that was opened is due

    @rule(verdict=st.sampled_from(["pass", "pass", "fail"]))
    def check(self, verdict: Any) -> None:
        due = checks.begin_next(self.run_id)
        if (
            self.model.watched
            and self.model.window
            and not self.model.window.end
            and self.model.window.pending
        ):
            assert due is not None, "a check is due and nobody is given it"
        if due is not None:
            assert self.model.watched, "a check was begun though nothing is watched"
            checks.record_check(due.pk, check_outcome(due.pk, verdict))
            self.model.check(verdict)

    @rule()
    def check_missed(self) -> None:
        later = clock.database_now() + timedelta(hours=2)
        with mock.patch.object(clock, "database_now", return_value=later):
            missed = checks.mark_missed()
        if missed:
            assert self.model.watched
            self.model.check("missed")

    @rule(clean=mostly)
    def report(self, clean: bool) -> None:
        verification.record(self.run_id, CLEAN if clean else DIRTY)
        self.model.report(clean=clean)

    # -- a way through

    @initialize(times=st.integers(0, 45), seed=st.integers(0, 2**32))
    def begin(self, times: int, seed: int) -> None:
        self.dice.seed(seed)
        self.carry_on(times)

    @rule(times=st.integers(1, 8))
    def carry_on(self, times: int) -> None:
        """Whatever moves the run on, done by whom it is for."""
        for _ in range(times):
            if self.model.state in {"cancelled", "sealed", "rolled_back", "completed"}:
                return
            self.one_step_on()

    @rule(data=st.data(), then=st.integers(0, 4))
    def detour(self, data: st.DataObject, then: int) -> None:
        """Something that is allowed now and does not lead straight on; then perhaps some way on."""
        ways = [way for who in sorted(run_model.ROLES) for way in self.ways_aside(who)]
        if ways:
            data.draw(st.sampled_from(ways))()
            self.all_is_well()
            self.carry_on(then)

    def one_step_on(self) -> None:
        model, number = self.model, self.model.current
        if model.state == "draft":
            return self.plain("dora", "submit")
        if model.state == "on_hold" and not model.missing("plan"):
            if number and model.phases[number].state == "pausing":
                return self.work(number, "paused")
            return self.plain("dora", "resume")
        if gate := next(
            (gate for gate in run_model.SIGNERS if model.is_open(gate) and model.missing(gate)), None
        ):
            wanted = model.missing(gate)[0]
            who = next((who for who in sorted(model.roles) if wanted in model.roles[who]), "ada")
            return self.sign(who, gate, True, "", True, True)
        if number is None:
            number = next((n for n, phase in model.phases.items() if phase.state == "ready"), 1)
            if number == run_model.CLEANUP:
                self.report(True)
            owner = run_model.OWNER[number]
            return self.start(
                next(who for who in sorted(model.roles) if owner in model.roles[who]), number, True
            )
        state = model.phases[number].state
        if state == "paused":
            return self.plain("dora", "resume")
        if state in {"failed", "undo_failed"}:
            return self.plain("dora", "retry")
        if number == run_model.MONITORING and model.watched:
            self.work(number, "waiting")
            self.check("pass")
            self.check("pass")
        return self.work(number, "paused" if state == "pausing" else "finished")

    def work(self, number: int, status: str) -> None:
        if self.model.phases[number].lease != "held":
            self.claim(number)
        self.tell(number, status)

    @rule(then=st.integers(0, 8), seldom=st.integers(0, 2))
    def go_back(self, then: int, seldom: int) -> None:
        """The run is rolled back, and perhaps some way on from there."""
        if not seldom and deepcopy(self.model).roll_back("olga"):
            self.roll_back("olga", True, True, 1)
            self.all_is_well()
            self.carry_on(then)

    def ways_aside(self, who: str) -> Iterator[Callable[[], None]]:
        for verb in ("withdraw", "cancel", "resume", "retry", "retry_rollback"):
            if getattr(deepcopy(self.model), verb)(who):
                yield partial(self.plain, who, verb)
        for name, (asked, given) in DETOURS.items():
            model = deepcopy(self.model)
            model.retained = False
            if getattr(model, name)(who, **asked):
                yield partial(getattr(self, name), who, **given)
        for gate in run_model.SIGNERS:
            if deepcopy(self.model).sign(who, gate, approve=False, comment="no"):
                yield partial(self.sign, who, gate, False, "no", True, True)

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

        def raw(table: str, key: str, *values: object) -> None:
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


@pytest.mark.django_db
def test_no_order_of_verbs_brings_a_run_where_it_must_not_be(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SWEEP_SECONDS = 0.0001
    monkeypatch.setattr(window, "GRACE", timedelta(hours=1))  # a busy machine makes no check late
    run_state_machine_as_test(RunMachine)  # type: ignore[no-untyped-call]
