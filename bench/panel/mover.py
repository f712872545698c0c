"""``python -m bench.panel.mover``: takes a run of a real move as far as it is told, and undoes it."""

from __future__ import annotations

from pathlib import Path

from bench.panel import serving

serving.set_up()

from django.contrib.sessions.backends.db import SessionStore  # noqa: E402 - only once the models are loaded
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from bench.panel import driving  # noqa: E402
from migration_runs.models import Run  # noqa: E402
from migration_runs.phases import Role  # noqa: E402
from migration_runs.runbook.plan import Plan  # noqa: E402
from migration_runs.services import plans  # noqa: E402

BEFORE = range(1, 4)
_under_way: dict[str, tuple[Run, Plan]] = {}


def begin(plan: str) -> bool:
    """A new run of the plan in this file, its first phases done."""
    read = Plan.model_validate_json(Path(plan).read_text(encoding="utf-8"))
    run = driving.approved(read)
    _under_way["run"] = (run, read)
    return all(phase(number) for number in BEFORE)


def phase(number: int) -> bool:
    """Start a phase, wait for the worker, sign."""
    run, plan = _under_way["run"]
    driving.start_and_wait(run, number)
    driving.sign_phase(run, number, plan)
    return True


def undo() -> bool:
    """Roll the run back."""
    run, _ = _under_way.pop("run")
    driving.roll_back(run)
    return True


def log_of(plan: str) -> tuple[int, str, str, str]:
    """A draft: its number, the addresses of its page and of its log, and the cookie of somebody logged in."""
    read = Plan.model_validate_json(Path(plan).read_text(encoding="utf-8"))
    run = plans.create_run_from_plan(plan=read, author=driving.person(Role.DBA), how=driving.HOW)
    client = Client()
    client.force_login(driving.person(Role.AUDITOR))
    session = client.session
    assert isinstance(session, SessionStore)
    page, log = (reverse(f"admin:migration_runs_run_{name}", args=[run.pk]) for name in ("change", "log"))
    return run.pk, page, log, f"sessionid={session.session_key}"


if __name__ == "__main__":
    serving.serve(
        {"prepare": driving.prepare, "begin": begin, "phase": phase, "undo": undo, "log_of": log_of}
    )
