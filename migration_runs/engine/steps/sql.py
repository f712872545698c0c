"""``sql``: execute one file, in one fenced transaction together with its record and its before-images."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from migration_runs.engine import before_image, dump_gate, ledger, outside_transaction, script
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.engine.steps.base import StepContext, StepKind, UndoPreview, record
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.base import SqlFile
from migration_runs.runbook.steps import SqlStep


class SqlKind(StepKind[SqlStep]):
    """A file of SQL. Undone by its ``undo`` file or, where it has none, from its before-image."""

    kind = "sql"

    @property
    def outside(self) -> bool:
        """Whether the file must run outside a transaction (an index built or dropped concurrently)."""
        return not self.step.transaction or script.needs_no_transaction(self.step.sql)

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What the file's header says."""
        header = self.step.sql.header
        return StepPreview(
            summary=header.what, locks=header.locks, seconds=self.step.estimate_s, undo=self._undo_in_words()
        )

    def waits_for_dumps(self, *, undo: bool) -> bool:
        """Where the file in question changes definitions."""
        return dump_gate.changes_definitions(self.step.undo if undo else self.step.sql)

    def apply(self, ctx: StepContext) -> StepResult:
        """Execute it; a failed statement, or a verdict that is not true, leaves nothing behind."""
        if self.outside:
            return self._apply_outside(ctx)
        step, parameters = self.step, ctx.job.plan.parameters
        with ctx.connect() as conn, ledger.fenced(conn, ctx.job):
            script.set_local_timeouts(conn, step)
            image = before_image.capture(conn, step.before_image) if step.before_image else None
            with conn.transaction(force_rollback=step.trial):
                rows = execute_whole(conn, step.sql, parameters)
                if step.verdict:
                    script.verdict(rows, step.verdict, step.sql)
            result = _result(step, rows)
            if image is not None:
                image = before_image.complete(conn, image)
                ledger.keep_before_image(conn, ctx.job, phase=ctx.phase, step_key=step.key, image=image)
            ledger.mark_applied(conn, ctx.job, phase=ctx.phase, step_key=step.key, details=record(result))
        return result

    def undo(self, ctx: StepContext) -> StepResult:
        """Execute the ``undo`` file, or put the before-image back; skipped where nothing was applied."""
        step = self.step
        if step.undo is not None and (self.outside or script.needs_no_transaction(step.undo)):
            if not outside_transaction.undo(ctx, step.sql, step.undo):
                return StepResult(summary="nothing of this run is there to undo", skipped=True)
            return StepResult(summary=step.undo.header.what)
        if not ctx.applied or step.trial:
            return StepResult(summary="nothing was applied", skipped=True)
        if self._kept():
            return StepResult(
                summary=f"stays on purpose: the data decision is {self.plan.data_decision}", skipped=True
            )
        with ctx.connect() as conn, ledger.fenced(conn, ctx.job):
            script.set_local_timeouts(conn, step)
            result = self._undo_inside(conn, ctx)
            ledger.mark_undone(conn, ctx.job, phase=ctx.phase, step_key=step.key)
        for lost in result.details.get("overwritten", []):
            ctx.reporter.log("warn", f"restored over a newer value: {lost}", step=step.key)
        return result

    def preview_undo(
        self, conn: psycopg.Connection[Any], run_uid: uuid.UUID, details: dict[str, Any]
    ) -> UndoPreview | None:
        """The undo file's header, or the objects of the before-image."""
        step = self.step
        if step.trial or (step.undo is None and step.before_image is None):
            return None
        if self._kept():
            assert step.before_image is not None
            kept = ", ".join((*step.before_image.functions, *(rows.table for rows in step.before_image.rows)))
            return UndoPreview(action="nothing", keeps=(f"{kept}: not restored, since the copied rows stay",))
        image = ledger.before_image(conn, run_uid, phase=self.phase, step_key=step.key) or {"rows": []}
        rows = sum(len(entry["before"]) for entry in image["rows"])
        locks = step.undo.header.locks if step.undo else step.sql.header.locks
        return UndoPreview(action=self._undo_in_words(), locks=locks, rows=rows, seconds=self.step.estimate_s)

    def _apply_outside(self, ctx: StepContext) -> StepResult:
        step = self.step
        if step.before_image or step.verdict or step.trial:
            raise StepFailed(
                f"{step.sql.path} runs outside a transaction, where a before-image, a verdict or a trial "
                "cannot hold; move it to a step of its own"
            )
        rows, kept = outside_transaction.apply(ctx, step.sql)
        result = _result(step, rows)
        return replace(result, details={**result.details, **kept})

    def _undo_inside(self, conn: psycopg.Connection[Any], ctx: StepContext) -> StepResult:
        if self.step.undo is not None:
            execute_whole(conn, self.step.undo, ctx.job.plan.parameters)
            return StepResult(summary=self.step.undo.header.what)
        image = ledger.before_image(conn, ctx.job.run_uid, phase=ctx.phase, step_key=self.step.key)
        if image is None:
            return StepResult(summary=self.step.undo_none or "nothing to undo", skipped=True)
        restored = before_image.restore(conn, image)
        return StepResult(
            summary=f"restored {restored.functions} function(s) and {restored.rows} row(s)",
            rows=restored.rows,
            details={"overwritten": restored.overwritten},
        )

    def _kept(self) -> bool:
        step = self.step
        return (
            step.undo is None
            and step.before_image is not None
            and step.before_image.keep_if == self.plan.data_decision
        )

    def _undo_in_words(self) -> str:
        step = self.step
        if step.undo is not None:
            return step.undo.header.what
        if step.before_image is not None:
            return "restored from its before-image"
        return f"none: {step.undo_none}" if step.undo_none else "none"


def execute_whole(
    conn: psycopg.Connection[Any], file: SqlFile, parameters: dict[str, Any]
) -> list[script.Row]:
    """Execute the file inside the open transaction. Raises StepFailed when the file itself ends that one."""
    before = _transaction(conn)
    rows = script.execute(conn, file, parameters)
    if conn.info.transaction_status != TransactionStatus.INTRANS or _transaction(conn) != before:
        raise StepFailed(
            f"{file.path} ends the transaction that it runs in, so that it cannot be taken back as one",
            kept="what the file did before its COMMIT stands",
        )
    return rows


def _transaction(conn: psycopg.Connection[Any]) -> Any:
    row = conn.execute("SELECT pg_current_xact_id()::text").fetchone()
    return row[0] if row else None


def _result(step: SqlStep, rows: list[script.Row]) -> StepResult:
    returned = [script.jsonable(row) for row in rows[:20]]
    summary = step.sql.header.what
    if len(rows) == 1:
        summary = f"{summary} ({script.shorten(rows[0], 200)})"
    return StepResult(summary=summary, details={"returned": returned} if returned else {})
