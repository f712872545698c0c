"""People who take a run through its phases by the services, and wait for the workers. Settings are loaded."""

from __future__ import annotations

import secrets
import time

from django.contrib.auth.models import User
from django.db import connection

from bench.world import statement
from controlpanel import celery  # noqa: F401 - sets the application that messages go through
from controlpanel.demo import people
from migration_runs.models import PhaseRun, Run
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.services import gates, plans, runs, sign_offs, step_up

HOW = "cli"
LOOK_EVERY_S = 0.001
PATIENCE_S = 3_600.0
"""A generous give-up: a benchmark of ten million rows takes its time."""

PASSWORD = secrets.token_urlsafe(16)


def prepare() -> bool:
    """People with a role each."""
    people.ensure_people(PASSWORD)
    return True


def person(role: Role) -> User:
    """Who has the role."""
    return User.objects.get(username=people.username(role))


def approved(plan: Plan) -> Run:
    """A run of the plan with every signature that its start needs."""
    author = person(Role.DBA)
    run = plans.create_run_from_plan(plan=plan, author=author, how=HOW)
    runs.submit_run(run.pk, person=author, how=HOW)
    for role in plan.runbook.approvals:
        _sign(run, gates.PLAN, role)
    return run


def start_and_wait(run: Run, number: int) -> float:
    """Seconds from the call that starts a phase until the phase waits for its signature."""
    row = PhaseRun.objects.get(run=run, number=number)
    owner = person(row.phase.owner)
    started = time.perf_counter()
    runs.start_phase(run.pk, number=number, person=owner, how=HOW)
    _until(row, "awaiting_sign_off", started)
    return time.perf_counter() - started


def sign_phase(run: Run, number: int, plan: Plan) -> None:
    """Every signature that closes a phase."""
    for role in plan.runbook.phase(number).sign_off:
        _sign(run, gates.phase_gate(number), role)


def roll_back(run: Run) -> None:
    """Undo everything, and wait for it."""
    oncall = person(Role.ONCALL)
    runs.roll_back_run(
        run.pk, typed_name=run.name, step_up=_proof(oncall), person=oncall, how=HOW, reason="measured"
    )
    started = time.perf_counter()
    while (state := Run.objects.values_list("state", flat=True).get(pk=run.pk)) != "rolled_back":
        if time.perf_counter() - started > PATIENCE_S:
            raise RuntimeError(f"{run.name} is {state} and not rolled back")
        time.sleep(0.05)


def _sign(run: Run, gate: str, role: Role) -> None:
    who = person(role)
    sign_offs.sign(run.pk, gate=gate, role=role, digest=run.plan_id, step_up=_proof(who), person=who, how=HOW)


def _proof(who: User) -> step_up.StepUp:
    return step_up.prove(who, password=PASSWORD)


def _until(row: PhaseRun, state: str, started: float) -> None:
    while True:
        with connection.cursor() as cursor:
            # Past the models: who looks must not take the processor from those whose time is measured.
            cursor.execute(statement("phase_state"), {"phase": row.pk})
            (found,) = cursor.fetchone()
        if found == state:
            return
        if found not in {"ready", "running"} or time.perf_counter() - started > PATIENCE_S:
            raise RuntimeError(f"phase {row.number} is {found}: {PhaseRun.objects.get(pk=row.pk).error}")
        time.sleep(LOOK_EVERY_S)
