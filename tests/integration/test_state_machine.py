"""Any order of verbs by anybody: the services do what a model of them says, and the database agrees.

Hypothesis chooses people, verbs, and what workers, checks and the verification tell. After every step the run
is where the model has it, the audit tells the way there move by move, what was refused has changed nothing,
and raw SQL as the application's role can make exactly the moves of ``states.py``.

``--hypothesis-profile=long`` plays many more runs, chosen anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from migration_runs.models import (
    Run,
)
from migration_runs.services import (
    confirmations,
    runs,
    sign_offs,
    verification,
    window,
)
from tests.control import EVIDENCE
from tests.integration import run_model_parts
from tests.integration.run_worker_rules import WorkerRules

DETOURS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pause": ({}, {"now": False}),
    "verify": ({}, {}),
    "hold": ({}, {"reason": "a look"}),
    "seal": ({}, {"wait": True}),
    "roll_back": ({}, {"proof": True, "name": True, "seldom": 1}),
    "confirm": ({"evidence": "done-it"}, {"evidence": "done-it"}),
}
"""Arguments of the model's verb, and of the rule of the same name."""

people = st.sampled_from(sorted(run_model_parts.ROLES))
numbers = st.integers(1, 9)
gates = st.sampled_from(["plan", "start:9", *(f"phase:{n}" for n in range(1, 10))])
mostly = st.sampled_from([True, True, True, False])
RUNS, PHASES = "migration_runs_run", "migration_runs_phaserun"


class RunMachine(WorkerRules):
    """Everything that people, workers, checks and the verification may do, in any order."""

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

    @invariant()
    def who_insists_is_refused(self) -> None:
        """People who have the roles ask, out of turn, for what the model refuses."""
        for verb in self.dice.sample(
            ["submit", "withdraw", "cancel", "resume", "retry", "retry_rollback"], 3
        ):
            who = self.dice.choice(["ada", "dora", "olga"] if verb != "withdraw" else ["dora"])
            if not getattr(deepcopy(self.model), verb)(who):
                self.plain(who, verb)
        for gate in run_model_parts.SIGNERS:
            if self.model.is_open(gate) and not deepcopy(self.model).sign("mia", gate):
                self.sign("mia", gate, True, "", True, True)
        if not deepcopy(self.model).hold("olga"):
            self.hold("olga", "a look")
        if not deepcopy(self.model).pause("olga"):
            self.pause("olga", False)

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
        ways = [way for who in sorted(run_model_parts.ROLES) for way in self.ways_aside(who)]
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
            (gate for gate in run_model_parts.SIGNERS if model.is_open(gate) and model.missing(gate)), None
        ):
            wanted = model.missing(gate)[0]
            who = next((who for who in sorted(model.roles) if wanted in model.roles[who]), "ada")
            return self.sign(who, gate, True, "", True, True)
        if number is None:
            number = next((n for n, phase in model.phases.items() if phase.state == "ready"), 1)
            if number == run_model_parts.CLEANUP:
                self.report(True)
            owner = run_model_parts.OWNER[number]
            owners = [who for who in sorted(model.roles) if owner in model.roles[who]]
            return self.start(self.dice.choice(owners), number, True)
        state = model.phases[number].state
        if state == "paused":
            return self.plain("dora", "resume")
        if state in {"failed", "undo_failed"}:
            return self.plain("dora", "retry")
        if number == run_model_parts.MONITORING and model.watched:
            self.work(number, "waiting")
            self.check("pass")
            self.check("pass")
        return self.work(number, "paused" if state == "pausing" else "finished")

    def work(self, number: int, status: str) -> None:
        if self.model.phases[number].lease != "held":
            self.claim(number)
        self.tell(number, status)

    @rule(hold=st.booleans())
    def stop_a_worker(self, hold: bool) -> None:
        """A worker is at it when the run is held, or its phase paused: it has to reach a safe place first."""
        number = self.model.current
        if number and self.model.phases[number].state == "running" and self.model.state == "in_progress":
            if self.model.phases[number].lease != "held":
                self.claim(number)
            if hold:
                self.hold("olga", "a look")
            else:
                self.pause("olga", False)
            self.all_is_well()
            for verb in ("resume", "retry", "retry_rollback"):
                self.plain("dora", verb)

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
        for gate in run_model_parts.SIGNERS:
            if deepcopy(self.model).sign(who, gate, approve=False, comment="no"):
                yield partial(self.sign, who, gate, False, "no", True, True)


@pytest.mark.django_db
def test_no_order_of_verbs_brings_a_run_where_it_must_not_be(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SWEEP_SECONDS = 0.0001
    monkeypatch.setattr(window, "GRACE", timedelta(hours=1))  # a busy machine makes no check late
    run_state_machine_as_test(RunMachine)
