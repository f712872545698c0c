"""``dual_write``: a sync direction goes on, proven by a canary; undone by taking it off under lock."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg

from migration_runs.engine import ledger
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import (
    canary,
    catalog,
    drain,
    existing,
    locking,
    rollback,
    run_tables,
    triggers,
)
from migration_runs.engine.move.mirroring import WRITER, Mode
from migration_runs.engine.move.names import Direction, Shape
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.engine.steps.base import StepContext, StepKind, UndoPreview, record
from migration_runs.runbook.steps import DualWriteStep

FIRST_MODE: dict[Direction, Mode] = {"forward": "mirror", "reverse": "full"}


class DualWriteKind(StepKind[DualWriteStep]):
    """Everything written to one side is written to the other, in the same transaction, from here on."""

    kind = "dual_write"

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What goes on, and which lock it takes for how long."""
        move = self.plan.runbook.move
        pair = (move.source, move.target) if self.step.direction == "forward" else (move.target, move.source)
        locks = f"SHARE ROW EXCLUSIVE on {pair[0]}, for an instant, after waiting at most"
        return StepPreview(
            summary=f"every write to {pair[0]} is mirrored to {pair[1]} in the same transaction",
            locks=f"{locks} {self.step.lock_timeout_ms} ms at a time (writers that came before end first)",
            seconds=self.step.estimate_s,
            undo="drained under a lock on both tables, then taken off",
        )

    def preview_undo(
        self, conn: psycopg.Connection[Any], run_uid: uuid.UUID, details: dict[str, Any]
    ) -> UndoPreview | None:
        """Which direction goes off, under which lock."""
        move = self.plan.runbook.move
        pair = (move.source, move.target) if self.step.direction == "forward" else (move.target, move.source)
        return UndoPreview(
            action=f"settle what is on its way, then no longer mirror {pair[0]} to {pair[1]}",
            locks="ACCESS EXCLUSIVE on both tables, for an instant, "
            f"after waiting at most {self.step.lock_timeout_ms} ms at a time",
            seconds=self.step.estimate_s,
        )

    def waits_for_dumps(self, *, undo: bool) -> bool:
        """Both ways: triggers go on or off."""
        return True

    def apply(self, ctx: StepContext) -> StepResult:
        """Put the direction on and prove it. Safe to do again after a kill at any point.

        Raises StepFailed when the target holds rows that differ (and may not be overwritten) or when the
        canary does not arrive, EngineError when the tables cannot be mirrored or a lock does not come.
        """
        direction: Direction = self.step.direction
        with ctx.connect() as conn:
            shape = locking.retried(
                lambda: catalog.resolve(conn, self.plan.runbook.move, ctx.job.run_uid, prove_key=True),
                what="looking at both tables", reporter=ctx.reporter,
            )  # fmt: skip
            for warning in shape.warnings:
                ctx.reporter.log("warn", warning, step=self.step.key)
            before = 0
            if direction == "forward":
                before = _begin_forward(conn, ctx.job, shape)
            triggers.install(
                conn, ctx.job, shape,
                direction=direction, mode=FIRST_MODE[direction],
                lock_ms=self.step.lock_timeout_ms, reporter=ctx.reporter,
            )  # fmt: skip
            if direction == "forward":
                existing.touch(conn, ctx.job, shape)
            proof = canary.prove(conn, ctx.job, shape, direction=direction, reporter=ctx.reporter)
        return StepResult(
            summary=f"{direction} dual-write is on; canary: {proof}",
            details={
                "direction": direction,
                "canary": {"arrived": list(proof.arrived), "skipped": list(proof.skipped)},
                "rows_before": before,
                "warnings": list(shape.warnings),
            },
        )

    def undo(self, ctx: StepContext) -> StepResult:
        """Settle the list under a lock on both tables, then take the direction off: no late write is lost.

        Forward, where undoing the copy has not taken it off already, goes by the data decision: also the rows
        that it alone brought into the target. Raises StepFailed when a key cannot be settled.
        """
        direction: Direction = self.step.direction
        with ctx.connect() as conn:
            shape = catalog.resolve(conn, self.plan.runbook.move, ctx.job.run_uid)
            if direction == "forward" and "forward" in triggers.installed(conn, shape):
                return self._undo_forward(ctx)
            take_off(
                conn, ctx.job, shape,
                direction=direction, lock_ms=self.step.lock_timeout_ms, reporter=ctx.reporter,
            )  # fmt: skip
        return StepResult(summary=f"{direction} dual-write is off")

    def _undo_forward(self, ctx: StepContext) -> StepResult:
        def result(done: rollback.TakenOff) -> StepResult:
            return StepResult(
                summary=f"forward dual-write is off; {done.deleted} mirrored rows deleted, "
                f"{done.restored} rows from before the run given back",
                rows=done.deleted,
            )

        def undone(conn: psycopg.Connection[Any], done: rollback.TakenOff) -> None:
            ledger.mark_undone(
                conn, ctx.job, phase=ctx.phase, step_key=self.step.key,
                details={**ctx.details, "undone": record(result(done))},
            )  # fmt: skip

        return result(rollback.take_off(ctx.job, ctx.reporter, self.step, undone=undone))


def _begin_forward(conn: psycopg.Connection[Any], job: Job, shape: Shape) -> int:
    """The run's tables, and what the target holds already; how many rows that is.

    Not done again once forward is on: then the target's rows are mirrored ones, too.
    """
    if "forward" in triggers.installed(conn, shape):
        return 0
    existing.refuse_different(conn, shape)
    with ledger.fenced(conn, job):
        run_tables.create(conn, shape)
    return existing.remember(conn, job, shape)


def take_off(
    conn: psycopg.Connection[Any],
    job: Job,
    shape: Shape,
    *,
    direction: Direction,
    lock_ms: int,
    reporter: Reporter,
) -> None:
    """Drain, then lock both tables, drain what is left, and drop the triggers in that transaction.

    Safe to do again, and where the direction never went on. Raises StepFailed when a key cannot be settled.
    """
    if run_tables.exist(conn, shape):
        drain.settle(conn, job, shape, reporter)

    def locked() -> None:
        with ledger.fenced(conn, job):
            locking.lock_tables(conn, shape, lock_ms=lock_ms, to_drop=True)
            if run_tables.exist(conn, shape):
                drain.settle_locked(conn, shape)
            triggers.drop(conn, job, shape, direction=direction)

    locking.retried(
        locked, what=f"taking {direction} off {shape.table(WRITER[direction])}", reporter=reporter
    )
