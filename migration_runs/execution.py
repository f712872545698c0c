"""What a worker does with a phase: claim it, have the engine work, record how that ended.

Called by the tasks; knows no Celery. Whatever stops it half-way (SIGKILL, a frozen process, a control
database or broker that is away) leaves a lease that runs out and a ledger that says what was done; the
sweeper then has the phase taken up again.
"""

from __future__ import annotations

import logging
from functools import partial

import psycopg
from django.db import transaction

from migration_runs import work
from migration_runs.engine import attempts, cancel, fingerprint, runner
from migration_runs.engine.job import Job
from migration_runs.engine.outcome import Outcome
from migration_runs.engine.sessions import Sessions
from migration_runs.exceptions import EngineError, Fenced, LeaseLost
from migration_runs.heartbeat import Heartbeat
from migration_runs.models import AuditEvent, PhaseRun
from migration_runs.reporting import ControlReporter, outlast
from migration_runs.services import gates, leases, progress, rules
from migration_runs.states import PhaseState

MAX_LOST = 10
"""A phase whose workers keep dying must reach a person, not go on for ever."""

logger = logging.getLogger(__name__)


def execute(phase_run_id: int) -> bool:
    """Work on a phase, or undo it, as its state asks, until it ends or waits; whether it was ours to do.

    False, with nothing done, when the phase needs no worker or another one holds it.
    """
    worker = work.worker_name()
    before = PhaseRun.objects.get(pk=phase_run_id)
    token = leases.claim(phase_run_id, worker=worker)
    if token is None:
        return False
    phase = PhaseRun.objects.select_related("run__plan").get(pk=phase_run_id)
    try:
        _hold_and_work(phase, token=token, worker=worker, predecessor=before.lease_worker)
    except LeaseLost as lost:
        logger.warning("%s phase %s: %s", phase.run.name, phase.number, lost)
    except Fenced as fenced:
        # The target has seen a higher token: a successor's, or one from before the control database was
        # restored. Given back, the next claim comes with a higher one.
        logger.warning("%s phase %s: %s", phase.run.name, phase.number, fenced)
        leases.release(phase_run_id, token=token)
    return True


def _hold_and_work(phase: PhaseRun, *, token: int, worker: str, predecessor: str) -> None:
    """Raises LeaseLost or Fenced, in which case nothing is recorded."""
    lease_s = rules.lease().total_seconds()
    heartbeat = Heartbeat(
        partial(leases.renew, phase.pk, token=token),
        seconds=lease_s,
        on_lost=partial(_stop_own_statements, phase, worker),
        watch=partial(_stop_when_interrupted, phase, token),
    )
    reporter = ControlReporter(phase, token=token, hold=heartbeat, patience_s=lease_s)
    with heartbeat:
        if predecessor:
            _take_over(phase, predecessor, reporter)
        if predecessor and _lost_in_a_row(phase) > MAX_LOST:
            outcome, schema = _given_up(), ""
        else:
            outcome, schema = _work(phase, token=token, worker=worker, reporter=reporter)
        heartbeat.check()
        if outcome.status == "failed" and outlast(
            partial(_interrupted, phase), hold=heartbeat, patience_s=lease_s
        ):
            outcome = Outcome(status="paused", step=outcome.step)

    def record_all() -> None:
        with transaction.atomic():
            progress.record_outcome(
                phase.pk, token=token, outcome=outcome, worker=worker, schema_digest=schema
            )
            reporter.write_held()

    outlast(record_all, hold=heartbeat, patience_s=lease_s)


def _work(phase: PhaseRun, *, token: int, worker: str, reporter: ControlReporter) -> tuple[Outcome, str]:
    """How the engine's turn ended, and the target's schema digest where it finished a phase."""
    try:
        job = work.phase_job(phase, token=token, worker=worker)
        if phase.state == PhaseState.UNDOING:
            return runner.undo_phase(job, reporter), ""
        with Sessions(job) as sessions:
            outcome = runner.run_phase(job, reporter, sessions)
            finished = outcome.status == "finished" and not _schema_is_known(phase, job)
            digest = _schema_digest(job, reporter, sessions) if finished else ""
        return outcome, digest
    except (Fenced, LeaseLost):
        raise
    except EngineError as error:
        return Outcome(status="failed", error=str(error), kept=error.kept, next_step=error.next_step), ""
    except psycopg.Error as error:
        return _unknown_schema(error), ""
    except Exception as error:
        # A mistake in this program must end as a failed phase that a person sees: raised further, the lease
        # would run out and the same mistake be made again, for ever. Its message may hold anything.
        logger.exception("%s phase %s: unexpected error", phase.run.name, phase.number)
        return Outcome(
            status="failed",
            error=f"an error that nobody foresaw: {type(error).__name__}; the worker's log has its trace",
            kept="every step and chunk that the ledger calls done",
            next_step="read the worker's log, then retry or roll back",
        ), ""


def _lost_in_a_row(phase: PhaseRun) -> int:
    """Workers lost since a person last had a hand in the phase."""
    told = AuditEvent.objects.filter(run_id=phase.run_id, object=f"phase {phase.number} of {phase.run.name}")
    by_people = told.filter(action__in=["phase.start", "phase.retry", "phase.resume", "phase.undo"])
    since = by_people.order_by("-seq").values_list("seq", flat=True).first() or 0
    return told.filter(action="phase.take_over", seq__gt=since).count()


def _given_up() -> Outcome:
    return Outcome(
        status="failed",
        error=f"more than {MAX_LOST} workers in a row were lost while they executed this phase",
        kept="every step and chunk that the ledger calls done",
        next_step="find out what ends the workers (their log, the system's log: memory?), then retry",
    )


def _schema_is_known(phase: PhaseRun, job: Job) -> bool:
    """Whether no step of the phase changes the schema, so that it has to be as the phase before left it."""
    if phase.number == 1 or gates.may_change_schema(job.plan, phase.number):
        return False
    before = PhaseRun.objects.filter(run_id=phase.run_id, number=phase.number - 1)
    return before.exclude(schema_digest="").exists()


def _schema_digest(job: Job, reporter: ControlReporter, sessions: Sessions) -> str:
    """What the phase has made of the schema: only a deviation from it counts as drift later."""

    def read() -> str:
        with sessions.lend() as conn:
            return fingerprint.fingerprint(conn, job.plan)

    return attempts.through_outages(read, reporter)


def _unknown_schema(error: psycopg.Error) -> Outcome:
    """The runner turns its own database errors into outcomes; this one came from reading the digest."""
    return Outcome(
        status="failed",
        error=f"every step is done, but the target's schema could not be read: {type(error).__name__}",
        kept="every step of the phase",
        next_step="retry: nothing is done twice",
    )


def _take_over(phase: PhaseRun, predecessor: str, reporter: ControlReporter) -> None:
    """Say that a worker was lost, and end what its sessions may still hold on the target."""
    reporter.log("warn", f"worker {predecessor} was lost, resuming (attempt {phase.attempt})")
    try:
        ended = cancel.stop_statements(
            work.target_url(phase.run.target), run_uid=phase.run.uid, worker=predecessor, how="terminate"
        )
    except (EngineError, psycopg.Error) as error:
        # The runner meets the same trouble next and says it as the phase's failure.
        logger.warning("could not end the sessions of %s: %s", predecessor, type(error).__name__)
        return
    if ended:
        reporter.log("warn", f"ended {ended} sessions that worker {predecessor} had left on the target")


def _stop_when_interrupted(phase: PhaseRun, token: int) -> None:
    """Cancel what the run's workers are executing when a person asked to pause now."""
    if PhaseRun.objects.filter(pk=phase.pk, token=token, interrupt=True).exists():
        _stop_statements(phase, None)


def _interrupted(phase: PhaseRun) -> bool:
    return PhaseRun.objects.filter(pk=phase.pk, interrupt=True, state=PhaseState.PAUSING).exists()


def _stop_own_statements(phase: PhaseRun, worker: str) -> None:
    _stop_statements(phase, worker)


def _stop_statements(phase: PhaseRun, worker: str | None) -> None:
    try:
        cancel.stop_statements(work.target_url(phase.run.target), run_uid=phase.run.uid, worker=worker)
    except (EngineError, psycopg.Error) as error:
        # A target that cannot be asked executes nothing of ours for long: it checks its clients.
        logger.warning("could not cancel statements of %s: %s", phase.run.name, type(error).__name__)
