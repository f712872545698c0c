"""Six people and a run that they drive through the services; outcomes of workers are said, not worked for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import Group, User

from migration_runs.engine.outcome import CheckOutcome, Outcome, Verification, Waiting
from migration_runs.models import DueCheck, PhaseRun, Run
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.services import (
    checks,
    gates,
    leases,
    progress,
    runs,
    sign_offs,
    step_up,
    verification,
    window,
)  # fmt: skip
from migration_runs.services import (
    plans as plan_services,
)
from migration_runs.services.evidence import Evidence
from tests import plans

HOW = "test"
PASSWORD = "a long password of a test"
NAMES = {
    Role.APPROVER: "ada", Role.DBA: "dora", Role.ENGINEER: "emil", Role.DEVOPS: "devi", Role.ONCALL: "olga",
    Role.AUDITOR: "udo",
}  # fmt: skip
EVIDENCE = Evidence(identity="7000000000000000000:bars", schema="a" * 64)
"""What the target looks like, for runs whose target need not exist."""

FINISHED = Outcome(status="finished")
CLEAN = Verification(
    source_rows=3, target_rows=3, missing=0, extra=0, different=0, pending=0, lowest="1", highest="3",
    seconds=0.1, columns=("id", "body"),
)  # fmt: skip
DIRTY = Verification(
    source_rows=3, target_rows=2, missing=1, extra=0, different=0, pending=0, lowest="1", highest="3",
    seconds=0.1, columns=("id", "body"),
)  # fmt: skip
WINDOW = Waiting(step="watch", kind="window", text="until the window is whole")
CHECK = plans.check("alive", "SELECT 1 AS value, '' AS detail", passes={"at_least": 1})


def control_plan(
    steps: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    *,
    readiness: Sequence[Mapping[str, Any]] = (),
    approvals: Sequence[str] = ("approver",),
    slug: str = "small",
    **more: Any,
) -> Plan:
    """A plan that four-eyes allow six people to carry out; its window is two rounds in two seconds."""
    given: dict[str, Any] = {"checks": [CHECK], "hours": 2, "clock_speed": 3600.0} | more
    body = plans.plan(steps, **given).model_dump(mode="json")
    body["runbook"] |= {"slug": slug, "approvals": list(approvals), "readiness": list(readiness)}
    body["runbook"]["phases"][6]["sign_off"] = ["engineer"]
    body["runbook"]["phases"][8]["sign_off"] = ["approver"]
    return Plan.model_validate(body)


def make_people() -> dict[Role, User]:
    """One active person per role, made once per database."""
    return {role: make_person(name, role) for role, name in NAMES.items()}


def make_person(name: str, *roles: Role, superuser: bool = False) -> User:
    """A person with these roles."""
    person = User.objects.filter(username=name).first()
    if person is None:
        person = User.objects.create_user(name, password=PASSWORD, is_staff=True, is_superuser=superuser)
    person.groups.set(Group.objects.filter(name__in=[role.value for role in roles]))
    return person


@dataclass
class Scene:
    """A run and the people around it. Each method does what one of them would do."""

    run_id: int
    people: dict[Role, User]

    @classmethod
    def draft(cls, plan: Plan | None = None) -> Scene:
        """A draft by the dba."""
        people = make_people()
        run = plan_services.create_run_from_plan(
            plan=plan or control_plan(), author=people[Role.DBA], how=HOW
        )
        return cls(run.pk, people)

    @classmethod
    def approved(cls, plan: Plan | None = None) -> Scene:
        """A run whose plan every role has approved that has to."""
        scene = cls.submitted(plan)
        for role in scene.plan_roles():
            scene.sign(role)
        return scene

    @classmethod
    def submitted(cls, plan: Plan | None = None) -> Scene:
        """A run that waits for approval."""
        scene = cls.draft(plan)
        runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
        return scene

    @classmethod
    def at_phase(cls, number: int, plan: Plan | None = None) -> Scene:
        """A run whose phase ``number`` is the next to start; the phases before it are done."""
        scene = cls.approved(plan)
        for done in range(1, number):
            scene.go_through(done)
        return scene

    @property
    def run(self) -> Run:
        """The run as it is now."""
        return Run.objects.get(pk=self.run_id)

    def phase(self, number: int) -> PhaseRun:
        """A phase as it is now."""
        return PhaseRun.objects.get(run_id=self.run_id, number=number)

    def states(self) -> list[str]:
        """States of the nine phases."""
        return list(
            PhaseRun.objects.filter(run_id=self.run_id).order_by("number").values_list("state", flat=True)
        )

    def plan_roles(self) -> tuple[Role, ...]:
        """Whose approval the plan asks for."""
        return Plan.from_json(self.run.plan.body).runbook.approvals

    def sign(self, role: Role, gate: str = gates.PLAN, **more: Any) -> Any:
        """Sign as the person of the role."""
        person = more.pop("person", self.people[role])
        given: dict[str, Any] = {
            "digest": self.run.plan_id, "evidence": EVIDENCE,
            "step_up": step_up.prove(person, password=PASSWORD),
        }  # fmt: skip
        return sign_offs.sign(self.run_id, gate=gate, role=role, person=person, how=HOW, **(given | more))

    def start(self, number: int, **more: Any) -> PhaseRun:
        """Start a phase as its owner."""
        owner = more.pop("person", self.people[self.phase(number).phase.owner])
        given: dict[str, Any] = {"step_up": step_up.prove(owner, password=PASSWORD), "evidence": EVIDENCE}
        return runs.start_phase(self.run_id, number=number, person=owner, how=HOW, **(given | more))

    def work(self, number: int, outcome: Outcome = FINISHED) -> PhaseRun:
        """A worker takes the phase and tells ``outcome``."""
        phase = self.phase(number)
        token = leases.claim(phase.pk, worker="worker-1")
        assert token is not None
        return progress.record_outcome(phase.pk, token=token, outcome=outcome)

    def finish(self, number: int) -> None:
        """Work until every step is done.

        Phase 8 through its whole window, after which source and target are found equal.
        """
        if number == 8:
            self.work(8, Outcome(status="waiting", waiting=WINDOW))
            while not window.is_whole(self.run_id):
                self.check_all()
                time.sleep(0.05)
        self.work(number)

    def check_all(self, verdict: Any = "pass") -> None:
        """Every check that is due gets ``verdict``."""
        while (due := checks.begin_next(self.run_id)) is not None:
            checks.record_check(due.pk, check_outcome(due.pk, verdict))

    def sign_phase(self, number: int) -> None:
        """Give every signature that closes a phase."""
        plan = Plan.from_json(self.run.plan.body)
        for role in plan.runbook.phase(number).sign_off:
            self.sign(role, gates.phase_gate(number))

    def go_through(self, number: int) -> None:
        """Start, finish and sign a phase, and approve its start where that is asked for."""
        if number == 9:
            verification.record(self.run_id, CLEAN)
            self.sign(Role.APPROVER, gates.start_gate(9))
        self.start(number)
        self.finish(number)
        self.sign_phase(number)


def check_outcome(due_check_id: int, verdict: Any = "pass") -> CheckOutcome:
    """The result of a due check."""
    return CheckOutcome(
        check=DueCheck.objects.get(pk=due_check_id).check_key, verdict=verdict, value=1.0, detail="measured",
        bound=">= 1",
        market_now=datetime.now(UTC), market_open=True, seconds=0.01,
    )  # fmt: skip
