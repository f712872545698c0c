"""``copy``: history in chunks, and afterwards the wait for older transactions and the drain."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg

from migration_runs.engine import ledger, timeouts
from migration_runs.engine.move import (
    catalog,
    copier,
    copy_plan,
    drain,
    estimate,
    rollback,
    seats,
    sight,
    statistics,
    triggers,
    waiting,
)
from migration_runs.engine.outcome import StepPreview, StepResult, Waiting
from migration_runs.engine.steps.base import StepContext, StepKind, UndoPreview, record
from migration_runs.exceptions import EngineError, StepFailed, StopRequested
from migration_runs.runbook.steps import CopyStep

LINE = "barrier"
"""Where the ledger keeps the barrier of a step that waits for older transactions."""

PATIENCE_S = 20.0
LOOK_AGAIN_S = 2.0
MOST_DRAINS = 50


class CopyKind(StepKind[CopyStep]):
    """``chunks`` copies every active row in scope up to the last one of then; ``settle`` waits and drains."""

    kind = "copy"

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """How many rows, how, and what happens to them in a rollback."""
        move = self.plan.runbook.move
        if self.step.part == "settle":
            return StepPreview(
                summary="wait for transactions older than the last chunk, drain the touched keys, "
                "then ANALYZE the target",
                locks="rows of both tables, a few at a time; SHARE UPDATE EXCLUSIVE on the target, which "
                "neither readers nor writers wait for",
                seconds=self.step.estimate_s,
                undo="none needed",
            )
        rows = None if conn is None else estimate.source_rows(conn, move)
        fate = "deleted again" if self.plan.data_decision == "delete" else "kept"
        return StepPreview(
            summary=f"copy {move.source} to {move.target} in chunks of about {move.copying.target_ms} ms "
            f"({min(move.copying.live_target_ms, move.copying.target_ms)} ms beside live writes), "
            f"{move.copying.workers} worker(s)",
            locks="the inserted rows, for the length of a chunk; gives way to the application",
            seconds=self.step.estimate_s,
            rows=rows,
            undo=f"copied rows are {fate} (the data decision), rows from before the run stay",
        )

    def waits_for_dumps(self, *, undo: bool) -> bool:
        """Undoing the copy takes dual-write's triggers off."""
        return undo and self.step.part == "chunks"

    def apply(self, ctx: StepContext) -> StepResult:
        """Copy what is left to copy, or settle. Safe to call again at any point."""
        return self._settle(ctx) if self.step.part == "settle" else self._chunks(ctx)

    def undo(self, ctx: StepContext) -> StepResult:
        """``chunks``: the data decision, and dual-write off. ``settle`` has nothing to undo."""
        if self.step.part == "settle":
            return StepResult(summary="nothing to undo", skipped=True)
        decision = self.plan.data_decision

        def result(done: rollback.TakenOff) -> StepResult:
            fate = f"{done.deleted} copied rows deleted" if decision == "delete" else "copied rows kept"
            return StepResult(
                summary=f"{fate}, {done.restored} rows from before the run given back; dual-write is off",
                rows=done.deleted,
                details={"deleted": done.deleted, "restored": done.restored},
            )

        def undone(conn: psycopg.Connection[Any], done: rollback.TakenOff) -> None:
            ledger.mark_undone(
                conn, ctx.job, phase=ctx.phase, step_key=self.step.key,
                details={**ctx.details, "undone": record(result(done))},
            )  # fmt: skip

        return result(rollback.take_off(ctx.job, ctx.reporter, self.step, undone=undone))

    def preview_undo(
        self, conn: psycopg.Connection[Any], run_uid: uuid.UUID, details: dict[str, Any]
    ) -> UndoPreview | None:
        """How many rows the data decision is about: also those that were mirrored since the copy."""
        if self.step.part == "settle":
            return None
        move = self.plan.runbook.move
        brought = estimate.brought_rows(conn, move, run_uid)
        locks = "ACCESS EXCLUSIVE on both tables, for the last transaction alone"
        if self.plan.data_decision == "keep":
            return UndoPreview(
                action="take dual-write off; copied rows stay",
                locks=locks,
                seconds=self.step.estimate_s,
                keeps=(f"about {brought} rows that {move.target} has had since, copied or mirrored",),
            )
        return UndoPreview(
            action=f"delete the rows that were copied or mirrored into {move.target}, "
            f"each proven equal in {move.source} first",
            locks=f"the deleted rows, a piece at a time; {locks}",
            rows=brought,
            seconds=self.step.estimate_s,
            keeps=(f"rows of {move.target} from before the run",),
        )

    # -- the two parts

    def _chunks(self, ctx: StepContext) -> StepResult:
        with ctx.connect() as conn:
            sight.require_for(conn, self.plan)
            shape = catalog.resolve(conn, self.plan.runbook.move, ctx.job.run_uid)
            if "forward" not in triggers.installed(conn, shape):
                raise EngineError(
                    "forward dual-write is not on: rows written during the copy would be lost",
                    kept="nothing was copied",
                    next_step="turn forward on in a step before this one",
                )
            with timeouts.timeouts(
                conn, lock_ms=self.step.lock_timeout_ms, statement_s=self.step.statement_timeout_s
            ):
                total = copy_plan.plan_ranges(conn, ctx.job, shape)
            before = copy_plan.copied(conn, ctx.job)
            ctx.reporter.progress(self.step.key, before.rows, total, unit="rows")
            try:
                copier.work(ctx.job, ctx.reporter)
            except StopRequested:
                # Paused means that nobody copies any more, not that the phase's own worker has stopped.
                seats.wait_until_left(conn, ctx.job, ctx.reporter, step=self.step.key)
                raise
            done = copy_plan.copied(conn, ctx.job)
        return StepResult(
            summary=f"copied {done.rows} rows in {done.chunks} chunks ({done.inserted} inserted)",
            rows=done.inserted,
            details={"chunks": done.chunks, "copied": done.rows, "different": done.different},
        )

    def _settle(self, ctx: StepContext) -> StepResult:
        with ctx.connect() as conn:
            shape = catalog.resolve(conn, self.plan.runbook.move, ctx.job.run_uid)
            if copy_plan.copied(conn, ctx.job).left:
                raise StepFailed(
                    "chunks are left to copy: settling before them would leave ghosts",
                    next_step="let the step that copies come first",
                )
            if LINE in ctx.details:
                line = waiting.Barrier.from_json(ctx.details[LINE])
            else:
                line = waiting.barrier(conn, ctx.job)
                with ledger.fenced(conn, ctx.job):
                    ledger.mark_intent(
                        conn, ctx.job, phase=ctx.phase, step_key=self.step.key,
                        details={**ctx.details, LINE: line.to_json()},
                    )  # fmt: skip
            still = waiting.wait(conn, line, reporter=ctx.reporter, step=self.step.key, patience_s=PATIENCE_S)
            if still:
                return waiting_for(self.step.key, still)
            drained, result = 0, drain.settle(conn, ctx.job, shape, ctx.reporter)
            for _ in range(MOST_DRAINS):
                drained += result.drained
                if result.stuck:
                    raise stuck(result)
                if not result.left:
                    break
                result = drain.settle(conn, ctx.job, shape, ctx.reporter)
            fresh = statistics.refresh(
                conn, shape, ctx.reporter, step=self.step.key,
                lock_ms=self.step.lock_timeout_ms, statement_s=self.step.statement_timeout_s,
            )  # fmt: skip
        return StepResult(
            summary=f"waited for {len(line.waited_for)} older transactions; {drained} keys drained"
            + ("; statistics refreshed" if fresh else ""),
            details={"drained": drained, "left": result.left, "statistics": fresh},
        )


def waiting_for(step: str, still: tuple[waiting.Older, ...]) -> StepResult:
    """The result of a step that gives its worker back while older transactions are open."""
    text = "waiting for older transactions: " + "; ".join(str(one) for one in still[:3])
    return StepResult(
        summary=text, waiting=Waiting(step=step, kind="drain", text=text, look_again_s=LOOK_AGAIN_S)
    )


def stuck(result: drain.DrainResult) -> StepFailed:
    """The failure of a step that cannot go on before keys are equal that no waiting makes equal."""
    first = "; ".join(f"({', '.join(one.key)}): {one.error}" for one in result.stuck[:3])
    return StepFailed(
        f"{len(result.stuck)} rows cannot be brought to the other side: {first}",
        kept="everything else; these keys stay on the list",
        next_step="correct these rows, or what refuses them, then retry",
    )
