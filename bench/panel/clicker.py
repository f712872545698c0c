"""``python -m bench.panel.clicker``: starts phases as people do, and waits until workers have ended them."""

from __future__ import annotations

import itertools
import secrets
import statistics
import time
from typing import Any

import psycopg

from bench.panel import serving

serving.set_up()

from celery import current_app  # noqa: E402 - only once the settings are loaded
from django.contrib.auth.models import User  # noqa: E402

from bench import world as worlds  # noqa: E402
from bench.panel import echo, empty_plan  # noqa: E402
from controlpanel import celery  # noqa: E402, F401 - sets the application
from controlpanel.demo import people  # noqa: E402
from migration_runs.models import PhaseRun, Run  # noqa: E402
from migration_runs.phases import Role  # noqa: E402
from migration_runs.services import gates, plans, runs, sign_offs, step_up  # noqa: E402

HOW = "cli"
PHASES = range(1, 7)
"""Those that start by a click alone."""

LOOK_EVERY_S = 0.001
PATIENCE_S = 120.0
PASSWORD = secrets.token_urlsafe(16)
_numbers = itertools.count(1)


def prepare() -> bool:
    """People with a role each."""
    people.ensure_people(PASSWORD)
    return True


def round_trips(count: int) -> float:
    """The median seconds from sending a message to hearing its task's answer."""
    taken = []
    for _ in range(count):
        key = secrets.token_hex(8)
        started = time.perf_counter()
        current_app.send_task(echo.NAME, args=[key], queue=echo.QUEUE, ignore_result=True)
        if echo.answers().blpop([key], timeout=PATIENCE_S) is None:
            raise TimeoutError("no worker answers")
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def phases(owner_url: str) -> float:
    """The median seconds from the click that starts a phase until it waits for its signature."""
    run = _approved(owner_url)
    taken = []
    for number in PHASES:
        row = PhaseRun.objects.get(run=run, number=number)
        owner = _person(row.phase.owner)
        started = time.perf_counter()
        runs.start_phase(run.pk, number=number, person=owner, how=HOW)
        _until(row, "awaiting_sign_off", started)
        taken.append(time.perf_counter() - started)
        _sign(run, gates.phase_gate(number), row.phase.owner)
    runs.hold_run(run.pk, reason="measured", person=_person(Role.ONCALL), how=HOW)
    return statistics.median(taken)


def _approved(owner_url: str) -> Run:
    number = next(_numbers)
    tables = f"public.empty_source_{number}", f"public.empty_target_{number}"
    with psycopg.connect(owner_url) as conn:
        for table in tables:
            conn.execute(worlds.statement("panel_table").format(table=table).encode())
    author = _person(Role.DBA)
    run = plans.create_run_from_plan(plan=empty_plan.empty_plan(tables), author=author, how=HOW)
    runs.submit_run(run.pk, person=author, how=HOW)
    _sign(run, gates.PLAN, Role.APPROVER)
    return run


def _sign(run: Run, gate: str, role: Role) -> None:
    person = _person(role)
    proof = step_up.prove(person, password=PASSWORD)
    sign_offs.sign(run.pk, gate=gate, role=role, digest=run.plan_id, step_up=proof, person=person, how=HOW)


def _until(row: PhaseRun, state: str, started: float) -> None:
    while True:
        found = PhaseRun.objects.filter(pk=row.pk).values_list("state", flat=True).get()
        if found == state:
            return
        if found not in {"ready", "running"} or time.perf_counter() - started > PATIENCE_S:
            raise RuntimeError(f"phase {row.number} is {found}: {PhaseRun.objects.get(pk=row.pk).error}")
        time.sleep(LOOK_EVERY_S)


def _person(role: Role) -> User:
    return User.objects.get(username=people.username(role))


ANSWERS: dict[str, Any] = {"prepare": prepare, "round_trips": round_trips, "phases": phases}

if __name__ == "__main__":
    serving.serve(ANSWERS)
