"""What a phase tells the ledger of itself: taken up, begun, done.

None is lost to an outage: whatever is written here may be written twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from migration_runs.engine import attempts, clock, ledger
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.ledger import LedgerStep
from migration_runs.engine.outcome import StepResult
from migration_runs.engine.sessions import Sessions
from migration_runs.engine.steps.base import record
from migration_runs.runbook.steps import Step

CLOCK_PHASES = frozenset({1, 8, 9})
"""At the start of these the target's clock must run at the plan's speed, whatever the runbook asserts."""


def take_up(job: Job, reporter: Reporter, sessions: Sessions) -> dict[str, LedgerStep]:
    """Make the ledger this job's; what it knows of the phase's steps, by key.

    Raises StopRequested when a person stops the phase while the target is away.
    """

    def work() -> dict[str, LedgerStep]:
        with sessions.lend() as conn:
            ledger.ensure(conn, job)
            known = _known(conn, job)
            if job.phase in CLOCK_PHASES and not known:
                clock.assert_speed(conn, job.plan)
        return known

    return attempts.through_outages(work, reporter, stoppable=True)


def take_up_undo(job: Job, reporter: Reporter, sessions: Sessions) -> dict[str, LedgerStep]:
    """As :func:`take_up`, not to be stopped; empty where no ledger is, since nothing was applied then."""

    def work() -> dict[str, LedgerStep]:
        with sessions.lend() as conn:
            if not ledger.installed(conn):
                return {}
            ledger.ensure(conn, job)
            return _known(conn, job)

    return attempts.through_outages(work, reporter)


def _known(conn: psycopg.Connection[Any], job: Job) -> dict[str, LedgerStep]:
    return {step.step_key: step for step in ledger.applied(conn, job.run_uid) if step.phase == job.phase}


def mark(
    job: Job,
    reporter: Reporter,
    sessions: Sessions,
    marking: Callable[..., None],
    step: Step,
    details: dict[str, Any],
) -> None:
    """Write that the step begins, or begins to be undone, by one of the ledger's ``mark_...``."""

    def work() -> None:
        with sessions.lend() as conn, ledger.fenced(conn, job):
            marking(conn, job, phase=job.phase, step_key=step.key, details=details)

    attempts.through_outages(work, reporter, step=step.key)


def finish(
    job: Job,
    reporter: Reporter,
    sessions: Sessions,
    step: Step,
    goal: ledger.LedgerState,
    result: StepResult,
) -> None:
    """Write that the step is done, unless its own transaction has."""
    attempts.through_outages(lambda: _finish(job, sessions, step, goal, result), reporter, step=step.key)


def _finish(job: Job, sessions: Sessions, step: Step, goal: ledger.LedgerState, result: StepResult) -> None:
    with sessions.lend() as conn:
        found = ledger.step(conn, job.run_uid, job.phase, step.key)
        if found is not None and found.state == goal:
            return
        details = record(result)
        mark = ledger.mark_applied
        if goal == "undone":
            mark, details = ledger.mark_undone, {**(found.details if found else {}), "undone": details}
        with ledger.fenced(conn, job):
            mark(conn, job, phase=job.phase, step_key=step.key, details=details)
