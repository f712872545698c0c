"""What ``soft_delete`` and ``delete`` share: cleanup's last change, and its way back."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from typing import Any, TypeVar

import psycopg

from migration_runs.engine import ledger
from migration_runs.engine.move import catalog, estimate, retire, rollback, run_tables, waiting
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.engine.steps.base import StepContext, StepKind, UndoPreview, record
from migration_runs.engine.steps.copy import LINE, waiting_for
from migration_runs.exceptions import EngineError
from migration_runs.runbook.steps import DeleteStep, SoftDeleteStep

R = TypeVar("R", SoftDeleteStep, DeleteStep)


class RetiringKind(StepKind[R]):
    """Retire exactly the migrated source rows, each proven equal first; then dual-write goes, under lock."""

    verb: str

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """How many rows, and which locks for how long."""
        move = self.plan.runbook.move
        rows = None if conn is None else estimate.source_rows(conn, move)
        return StepPreview(
            summary=f"{self.verb} rows of {move.source} proven equal in {move.target}; dual-write off",
            locks="the rows, a piece at a time; at the end both tables ACCESS EXCLUSIVE, for an instant",
            seconds=self.step.estimate_s,
            rows=rows,
            undo="exactly these rows come back, with what was written since",
        )

    def waits_for_dumps(self, *, undo: bool) -> bool:
        """Both ways: triggers go off at the end, and on again."""
        return True

    def apply(self, ctx: StepContext) -> StepResult:
        """Retire and take dual-write off. Raises StepFailed naming rows that are not proven equal."""
        self._check()

        def applied(conn: psycopg.Connection[Any], done: retire.Retired) -> None:
            ledger.mark_applied(
                conn, ctx.job, phase=ctx.phase, step_key=self.step.key, details=record(self._result(done))
            )

        return self._result(retire.retire(ctx.job, ctx.reporter, self.step, applied=applied))

    def undo(self, ctx: StepContext) -> StepResult:
        """Bring the rows back, with what was written since, and dual-write on both ways. Resumable."""

        def keep_line(line: waiting.Barrier) -> None:
            with ctx.connect() as conn, ledger.fenced(conn, ctx.job):
                ledger.mark_undoing(
                    conn, ctx.job, phase=ctx.phase, step_key=self.step.key,
                    details={**ctx.details, LINE: line.to_json()},
                )  # fmt: skip

        kept = ctx.details.get(LINE)
        done = rollback.revive(
            ctx.job, ctx.reporter, self.step, applied=ctx.applied,
            line=waiting.Barrier.from_json(kept) if kept else None, keep_line=keep_line,
        )  # fmt: skip
        if done.waiting_for:
            return waiting_for(self.step.key, done.waiting_for)
        return StepResult(
            summary=f"{done.revived} rows are back, {done.copied_back} written since were copied back; "
            "dual-write is on both ways",
            rows=done.revived + done.copied_back,
            details={"revived": done.revived, "copied_back": done.copied_back},
        )

    def preview_undo(
        self, conn: psycopg.Connection[Any], run_uid: uuid.UUID, details: dict[str, Any]
    ) -> UndoPreview | None:
        """How many rows come back."""
        shape = catalog.resolve(conn, self.plan.runbook.move, run_uid)
        if not run_tables.exist(conn, shape):
            return None
        rows = retire.gone_rows(conn, shape)
        return UndoPreview(
            action=f"bring back {rows} rows of {shape.source}, and what was written to {shape.target} since",
            locks=f"SHARE ROW EXCLUSIVE on each table, once; rows of {shape.source}, a piece at a time",
            rows=rows,
            seconds=self.step.estimate_s,
            keeps=("rows that others withdrew, and rows that the application has deleted since",),
        )

    @abstractmethod
    def _check(self) -> None:
        """Raises EngineError where the kind does not fit the move."""

    def _result(self, done: retire.Retired) -> StepResult:
        return StepResult(
            summary=f"{done.rows} rows retired, each proven equal in the target; dual-write is off",
            rows=done.rows,
            details={"passes": done.passes},
        )


def refuse(reason: str) -> EngineError:
    """The step does not fit the move."""
    return EngineError(reason, kept="every row", next_step="correct the runbook")
