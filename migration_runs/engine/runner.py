"""Carry out, or undo, one phase of a run: step by step, resumable from the ledger at any point.

A worker that takes over does not know what its predecessor was doing, and need not: the ledger in the target
says which steps are applied (they are skipped) and which were begun (their kinds clean up and go on).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import psycopg

from migration_runs.engine import attempts, bookkeeping, connection, dump_gate, ledger, lock_holders
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.ledger import LedgerStep
from migration_runs.engine.outcome import Outcome, StepPreview, StepResult
from migration_runs.engine.sessions import Sessions
from migration_runs.engine.steps.base import StepContext, StepKind, record
from migration_runs.engine.steps.registry import kind_of
from migration_runs.exceptions import EngineError, Fenced, LeaseLost, StopRequested
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import ConfirmStep, ObserveStep, Step
from migration_runs.states import StepState

WAS_APPLIED = "undo_of_applied"
"""Kept in the ledger's details when undoing begins: whether the step was applied, or only begun."""

Work = Callable[[StepContext], StepResult]


@dataclasses.dataclass(frozen=True)
class _Turn:
    """A worker's turn on a phase: what it is to do, whom it tells, and its sessions on the target."""

    job: Job
    reporter: Reporter
    sessions: Sessions


def run_phase(job: Job, reporter: Reporter, sessions: Sessions | None = None) -> Outcome:
    """Carry out the steps of the job's phase that the ledger does not call applied, in order.

    Errors of the engine and of PostgreSQL are the outcome *failed*, with what stands and what to do. Raises
    Fenced and LeaseLost: then another worker has the phase, and nothing may be recorded of this one.
    ``sessions`` are the caller's, who goes on with them; without, the phase has its own.
    """
    if sessions is None:
        with Sessions(job) as own:
            return run_phase(job, reporter, own)
    turn = _Turn(job, reporter, sessions)
    try:
        known = bookkeeping.take_up(job, reporter, sessions)
    except (Fenced, LeaseLost):
        raise
    except StopRequested:
        return Outcome(status="paused")
    except (EngineError, psycopg.Error) as error:
        return _failed(error, None)
    for step in job.plan.runbook.phase(job.phase).steps:
        found = known.get(step.key)
        if found is not None and found.state == "applied":
            reporter.step(step.key, _done(found.details), result=_kept(found))
            continue
        reporter.beat()
        if reporter.stop_requested():
            return Outcome(status="paused", step=step.key)
        outcome = _run_step(turn, step, found)
        if outcome is not None:
            return outcome
    return Outcome(status="finished")


def undo_phase(job: Job, reporter: Reporter) -> Outcome:
    """Undo what the ledger says was applied or begun in the job's phase, last step first.

    Undoing is not paused between steps: half a rollback is nobody's wish. Errors as in :func:`run_phase`.
    """
    with Sessions(job) as sessions:
        return _undo(_Turn(job, reporter, sessions))


def _undo(turn: _Turn) -> Outcome:
    job, reporter = turn.job, turn.reporter
    try:
        known = bookkeeping.take_up_undo(job, reporter, turn.sessions)
    except (Fenced, LeaseLost):
        raise
    except (EngineError, psycopg.Error) as error:
        return _failed(error, None)
    for step in undo_order(job.plan.runbook.phase(job.phase).steps):
        found = known.get(step.key)
        if found is None or found.state == "undone":
            continue
        reporter.beat()
        outcome = _undo_step(turn, step, found)
        if outcome is not None:
            return outcome
    return Outcome(status="finished")


def undo_order(steps: tuple[Step, ...]) -> list[Step]:
    """The steps last first, but an observation after the confirmations that make it true.

    ``confirm`` (the old code is deployed again) must be asked before ``observe`` waits to see that code call.
    """
    ordered: list[Step] = []
    observations: list[Step] = []
    for step in reversed(steps):
        if isinstance(step, ObserveStep):
            observations.append(step)
            continue
        ordered.append(step)
        if isinstance(step, ConfirmStep) and step.undo_text is not None:
            ordered += observations
            observations = []
    return ordered + observations


def previews(plan: Plan, url: str | None) -> list[StepPreview]:
    """What every step of the plan will do, in the plan's order; with a target's URL, as it stands there now.

    A step whose preview needs something that the target does not have yet gets the plan's own words.
    Raises TargetUnavailable.
    """
    kinds = [kind_of(plan, phase.number, step) for phase in plan.runbook.phases for step in phase.steps]
    if url is None:
        return [kind.preview(None) for kind in kinds]
    with connection.connect(url, application_name="phasegate/preview") as conn:
        return [_preview(kind, conn) for kind in kinds]


def _preview(kind: StepKind[Any], conn: psycopg.Connection[Any]) -> StepPreview:
    try:
        return kind.preview(conn)
    except (EngineError, psycopg.Error):
        # Earlier steps make what later ones need; before they ran, the plan alone can tell.
        return kind.preview(None)


def _run_step(turn: _Turn, step: Step, found: LedgerStep | None) -> Outcome | None:
    """One step; None when it is done and the next may follow."""
    job, reporter = turn.job, turn.reporter
    kind = kind_of(job.plan, job.phase, step)
    begun = found is not None and found.state == "intent"
    details = found.details if found is not None and begun else {}
    ctx = _context(turn, step, begun=begun, details=details)
    reporter.step(step.key, StepState.RUNNING)
    try:
        if not begun:
            bookkeeping.mark(job, reporter, turn.sessions, ledger.mark_intent, step, {})
        result = _tried(ctx, _behind_dumps(kind.apply, kind.waits_for_dumps(undo=False)), "applied")
        if result.waiting is not None:
            reporter.step(step.key, StepState.WAITING, result=record(result))
            return Outcome(status="waiting", step=step.key, waiting=result.waiting)
        bookkeeping.finish(job, reporter, turn.sessions, step, "applied", result)
    except (Fenced, LeaseLost):
        raise
    except StopRequested:
        return Outcome(status="paused", step=step.key)
    except (EngineError, psycopg.Error) as error:
        reporter.beat()  # a statement that was cancelled because the lease is lost says so here
        if attempts.sqlstate(error) == attempts.CANCELLED and reporter.stop_requested():
            return Outcome(status="paused", step=step.key)
        return _report(reporter, error, step, StepState.FAILED)
    kept = record(result)
    reporter.step(step.key, _done(kept), result=kept)
    reporter.log("info", result.summary, step=step.key)
    return None


def _undo_step(turn: _Turn, step: Step, found: LedgerStep) -> Outcome | None:
    """Undo one step; None when that is done and the next may follow."""
    job, reporter = turn.job, turn.reporter
    kind = kind_of(job.plan, job.phase, step)
    was_applied = bool(found.details.get(WAS_APPLIED, found.state == "applied"))
    details = {**found.details, WAS_APPLIED: was_applied}
    ctx = _context(turn, step, begun=True, applied=was_applied, details=details)
    reporter.step(step.key, StepState.UNDOING)
    try:
        if found.state != "undoing":
            bookkeeping.mark(job, reporter, turn.sessions, ledger.mark_undoing, step, details)
        result = _tried(ctx, _behind_dumps(kind.undo, kind.waits_for_dumps(undo=True)), "undone")
        if result.waiting is not None:
            reporter.step(step.key, StepState.WAITING, result=record(result))
            return Outcome(status="waiting", step=step.key, waiting=result.waiting)
        bookkeeping.finish(job, reporter, turn.sessions, step, "undone", result)
    except (Fenced, LeaseLost):
        raise
    except StopRequested:
        return Outcome(status="paused", step=step.key)
    except (EngineError, psycopg.Error) as error:
        reporter.beat()
        return _report(reporter, error, step, StepState.UNDO_FAILED)
    reporter.step(step.key, StepState.UNDONE, result=record(result))
    if not result.skipped:
        reporter.log("info", f"undone: {result.summary}", step=step.key)
    return None


def _behind_dumps(work: Work, waits: bool) -> Work:
    """The work, or only the word that it waits while a dump of the target runs."""

    def begin(ctx: StepContext) -> StepResult:
        return dump_gate.wait_for(ctx) or work(ctx)

    return begin if waits else work


def _tried(ctx: StepContext, work: Work, goal: ledger.LedgerState) -> StepResult:
    """The work's result, tried again where that makes sense. A lost commit is looked up in the ledger."""
    tries = attempts.Attempts(
        ctx.reporter,
        ctx.step.key,
        holders=lambda: lock_holders.describe(ctx.connect, ctx.job.plan),
        stoppable=goal == "applied",
    )
    while True:
        try:
            if tries.lost_at is not None:
                found = _look(ctx)
                if found is not None and found.state == goal:
                    return StepResult(summary="done; the answer was lost on the way", details=found.details)
                ctx = dataclasses.replace(ctx, details=found.details if found else ctx.details)
            return work(ctx)
        except (Fenced, LeaseLost, StopRequested):
            raise
        except (EngineError, psycopg.Error) as error:
            ctx.reporter.beat()
            if not tries.pause_after(error):
                raise
            ctx = dataclasses.replace(ctx, begun=True)


def _context(
    turn: _Turn,
    step: Step,
    *,
    begun: bool,
    details: dict[str, Any],
    applied: bool = False,
) -> StepContext:
    return StepContext(
        job=turn.job,
        reporter=turn.reporter,
        step=step,
        phase=turn.job.phase,
        connect=turn.sessions.lend,
        begun=begun,
        applied=applied,
        details=details,
    )


def _look(ctx: StepContext) -> LedgerStep | None:
    with ctx.connect() as conn:
        return ledger.step(conn, ctx.job.run_uid, ctx.phase, ctx.step.key)


def _kept(found: LedgerStep) -> dict[str, Any]:
    return {"summary": "done by an earlier worker", "rows": 0, **found.details}


def _done(details: dict[str, Any]) -> StepState:
    return StepState.SKIPPED if details.get("skipped") else StepState.DONE


def _report(reporter: Reporter, error: Exception, step: Step, state: StepState) -> Outcome:
    outcome = _failed(error, step.key)
    reporter.step(step.key, state, error=outcome.error)
    reporter.log("error", outcome.error, step=step.key)
    return outcome


def _failed(error: Exception, step: str | None) -> Outcome:
    """An error in the words of an outcome. PostgreSQL's own messages hold no secret of ours."""
    kept = "steps before this one stand; of this one, what its own transaction did was rolled back"
    next_step = "remove the cause, then retry the phase, or roll the run back"
    if step is None:
        kept = "nothing of this attempt was begun"
    if isinstance(error, EngineError):
        return Outcome(
            status="failed",
            step=step,
            error=str(error),
            kept=error.kept or kept,
            next_step=error.next_step or next_step,
        )
    assert isinstance(error, psycopg.Error)
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    if error.diag.message_detail:
        message = f"{message}; {error.diag.message_detail}"
    code = f" [{error.sqlstate}]" if error.sqlstate else ""
    return Outcome(status="failed", step=step, error=f"{message}{code}", kept=kept, next_step=next_step)
