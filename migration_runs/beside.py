"""Work beside the phases of a run: extra copy workers, due checks, draining, live verification.

None of it holds a lease or moves a state. Each proves the run's token on the target where it writes there, so
that it may be lost, doubled or late; an error of one is logged for people and tried again by the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import psycopg

from migration_runs import verifying, work
from migration_runs.advisory import alone
from migration_runs.chunk_reporting import ChunkReporter, TokenHold
from migration_runs.engine import connection, health, ledger
from migration_runs.engine.job import Confirmation, Level
from migration_runs.engine.move import copier, drain
from migration_runs.engine.outcome import CopyFigures, Verification
from migration_runs.exceptions import EngineError, Fenced, LeaseLost
from migration_runs.models import DueCheck, LogLine, PhaseRun, Run, VerificationReport
from migration_runs.runbook.plan import Plan
from migration_runs.services import checks as check_services
from migration_runs.services import clock, rules, sealing, verification_passes, verification_schedule
from migration_runs.services.window import WindowRule
from migration_runs.states import PhaseState, RunState, StepState

RECENT = timedelta(seconds=15)
"""However compressed the clock: a report of this age is one of now, since a busy machine may be late."""

STUCK_NAMED = 5
"""So many keys that cannot be drained are named in one line of the log."""

BROKE_OFF = ("every bucket that was compared before", "nothing: the next sweep tries again")
"""What stands, and what to do, when a session on the target ended in an error of the database."""

logger = logging.getLogger(__name__)


class QuietReporter:
    """The Reporter of work that no phase waits for: it may log, is never asked to stop and has no lease."""

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id

    def log(self, level: Level, message: str, *, step: str | None = None) -> None:
        """One line in the run's log."""
        LogLine.objects.create(run_id=self._run_id, step=step or "", level=level, text=message)

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        """Nothing: no step is being worked on."""

    def progress(
        self,
        key: str,
        done: int,
        total: int,
        *,
        unit: str,
        note: str = "",
        waited_s: float = 0.0,
        figures: CopyFigures | None = None,
    ) -> None:
        """Nothing: no step is being worked on."""

    def stop_requested(self) -> bool:
        """Never: this work is short, and goes on while the run is on hold."""
        return False

    def beat(self) -> None:
        """Nothing: the token alone fences it."""

    def confirmation(self, step: str, *, undo: bool = False) -> Confirmation | None:
        """Nobody is asked."""

    def window_whole(self) -> bool:
        """Not decided here."""
        return False

    def adjusted(self) -> Mapping[str, float]:
        """Nobody adjusts anything."""
        return {}

    def pause(self, reason: str) -> None:
        """Nothing: no phase is at work."""

    def start_chunk_workers(self, count: int) -> None:
        """Nothing: only a phase asks for hands."""


def work_chunks(phase_run_id: int, token: int) -> int:
    """Copy chunks of a phase until none is left or the phase stops; how many. 0 when it has a new token."""
    phase = PhaseRun.objects.select_related("run__plan").get(pk=phase_run_id)
    if phase.token != token or phase.state != PhaseState.RUNNING:
        return 0
    lease_s = rules.lease().total_seconds()
    reporter = ChunkReporter(
        phase,
        token=token,
        hold=TokenHold(phase, token=token, seconds=lease_s),
        patience_s=lease_s,
    )
    try:
        job = work.phase_job(phase, token=token, worker=work.worker_name())
        return copier.help_out(job, reporter)
    except (Fenced, LeaseLost) as gone:
        logger.info("extra copy worker of %s stops: %s", phase.run.name, gone)
    except (EngineError, psycopg.Error) as error:
        # The phase's own worker copies the rest, or meets the same error and fails with it.
        logger.warning("extra copy worker of %s stops: %s", phase.run.name, type(error).__name__)
        QuietReporter(phase.run_id).log("warn", f"an extra copy worker stopped: {type(error).__name__}")
    return 0


def run_due_checks(run_id: int) -> None:
    """Measure the run's due checks and have the results recorded, until none is left to begin.

    Any number of workers may do so for one run at once: each takes other checks.
    """
    run = Run.objects.select_related("plan").get(pk=run_id)
    job = work.run_job(run, worker=work.worker_name())
    while (due := check_services.begin_next(run_id)) is not None:
        outcome = health.run_check(
            job, due.check_key, since=_check_before(due), verified=recent_verification(run_id, job.plan)
        )
        check_services.record_check(due.pk, outcome, worker=job.worker)


def _check_before(due: DueCheck) -> Any:
    """Market time of the round before, when it was measured; None in the first round."""
    return (
        DueCheck.objects.filter(window=due.window, check_key=due.check_key, round__lt=due.round)
        .exclude(market_now=None)
        .order_by("-round")
        .values_list("market_now", flat=True)
        .first()
    )


def recent_verification(run_id: int, plan: Plan) -> Verification | None:
    """What the live verification says of the run now, without examples; None when nothing was said of late.

    The latest full report; or the latest look at what was touched, where that is newer and not clean. A clean
    report proves nothing once reports have stopped coming: the check that asks then compares both sides
    itself.
    """
    row = verification_schedule.newest(run_id, VerificationReport.Kind.FULL)
    if row is None:
        return None
    period = verification_schedule.period(plan.clock_speed, row.seconds)
    if clock.database_now() - row.at > max(2 * period, WindowRule.of(plan).interval, RECENT):
        return None
    looked = verification_schedule.newest(run_id, VerificationReport.Kind.TOUCHED)
    if looked is not None and looked.pk > row.pk and not looked.clean:
        row = looked
    return Verification(
        source_rows=row.source_rows,
        target_rows=row.target_rows,
        missing=row.missing,
        extra=row.extra,
        different=row.different,
        pending=row.pending,
        overdue=row.overdue,
        pending_s=row.pending_s,
        vanished=row.vanished,
        lowest=row.lowest,
        highest=row.highest,
        seconds=row.seconds,
        columns=tuple(row.columns),
        broken_rules=tuple(
            rule["key"]
            for rule in row.rules
            if rule["severity"] == "fail" and (rule["offending"] or rule["error"])
        ),
    )


def drain_run(run_id: int) -> int:
    """Apply what the sync triggers had to leave undone; how many keys. 0 when another worker is at it."""
    run = Run.objects.select_related("plan").get(pk=run_id)
    with alone("drain", run_id) as taken:
        if not taken:
            return 0
        try:
            result = drain.drain(work.run_job(run, worker=work.worker_name()), QuietReporter(run_id))
            if result.stuck:
                _tell_once(run_id, _stuck_in_words(result.stuck))
            return result.drained
        except (Fenced, LeaseLost) as gone:
            logger.info("draining of %s gives way: %s", run.name, gone)
        except (EngineError, psycopg.Error) as error:
            # The next sweep tries again; how long keys have waited is shown from the target itself.
            logger.warning("draining of %s failed: %s", run.name, type(error).__name__)
    return 0


def _stuck_in_words(stuck: Sequence[drain.Stuck]) -> str:
    """Which keys waiting does not cure, and why: every comparison takes them for lag until somebody acts."""
    named = "; ".join(f"({', '.join(one.key)}): {one.error}" for one in stuck[:STUCK_NAMED])
    return f"{len(stuck)} keys cannot be made equal on both sides: {named}. Correct these rows."


def verify_run(run_id: int) -> VerificationReport | None:
    """Make a full pass, or go on with the open one; the report, None when that was not possible now."""
    return _verified(run_id, verifying.full)


def look_at_touched(run_id: int) -> VerificationReport | None:
    """Compare what was touched; the report, None when that was not possible now."""
    return _verified(run_id, verifying.look)


def _verified(run_id: int, verify: Callable[[int], VerificationReport]) -> VerificationReport | None:
    try:
        report = verify(run_id)
    except (verifying.Busy, Fenced) as other:
        logger.info("verification of run %s gives way: %s", run_id, other)
        return None
    except (EngineError, psycopg.Error) as error:
        logger.warning("verification of run %s failed: %s", run_id, type(error).__name__)
        reason = _reason(error)
        verification_passes.trouble(
            run_id,
            reason,
            kept=error.kept if isinstance(error, EngineError) else BROKE_OFF[0],
            next_step=error.next_step if isinstance(error, EngineError) else BROKE_OFF[1],
        )
        _tell_once(run_id, f"verification could not be made: {reason}")
        return None
    if report.vanished:
        _tell_once(run_id, f"{report.vanished} differences were seen once and were gone at the second look")
    return report


def _tell_once(run_id: int, text: str) -> None:
    """A warning in the run's log, unless it is the last line there: the sweeper tries again and again."""
    last = LogLine.objects.filter(run_id=run_id).order_by("-id").values_list("text", flat=True).first()
    if last != text:
        QuietReporter(run_id).log("warn", text)


def give_up_ledger(run_id: int) -> bool:
    """Take a sealed run's ledger off the target; whether it is gone. Nothing for a run in any other state.

    Safe to do twice: a worker that dies between the target and the record is followed by another.
    """
    run = Run.objects.get(pk=run_id)
    if run.state != RunState.SEALED:
        return False
    if run.ledger_gone_at is not None:
        return True
    with alone("ledger", run_id) as taken:
        # While a target that is away is waited for, the hints of later sweeps must not take every hand.
        return taken and _drop_ledger(run)


def _drop_ledger(run: Run) -> bool:
    worker = work.worker_name()
    try:
        session = connection.application_name(run.uid, worker)
        with connection.connect(work.target_url(run.target), application_name=session) as conn:
            ledger.drop_run(conn, run.uid)
    except (EngineError, psycopg.Error) as error:
        logger.warning("the ledger of %s stays for now: %s", run.name, type(error).__name__)
        _tell_once(run.pk, f"the run's ledger could not be dropped: {_reason(error)}")
        return False
    sealing.record_ledger_gone(run.pk, worker=worker)
    QuietReporter(run.pk).log("info", "the run's ledger was dropped from the target")
    return True


def _reason(error: Exception) -> str:
    """What may be shown of an error: our own sentences, of a database error its class alone."""
    return str(error) if isinstance(error, EngineError) else type(error).__name__
