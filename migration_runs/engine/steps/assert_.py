"""``assert``: a query that must hold; where it does not, and only there, a repair that is proven first."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import psycopg

from migration_runs.engine import dump_gate, ledger, outside_transaction, script
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.engine.script import Said
from migration_runs.engine.steps.base import StepContext, StepKind, UndoPreview, record
from migration_runs.engine.steps.sql import execute_whole
from migration_runs.exceptions import EngineError, StepFailed
from migration_runs.runbook.base import SqlFile
from migration_runs.runbook.steps import AssertStep


class AssertKind(StepKind[AssertStep]):
    """An assertion with an optional repair. The repair, when it ran, is undone by the ``undo`` file."""

    kind = "assert"

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What it asserts and, when the target can be asked, whether it holds now or what would repair it."""
        step = self.step
        summary, locks = step.sql.header.what, step.sql.header.locks
        if conn is not None:
            failing = self._failing_now(conn)
            if failing and step.repair is not None:
                summary = f"{summary}. Does not hold now ({failing}); it would be repaired: "
                summary += step.repair.header.what
                locks = step.repair.header.locks
            else:
                summary = f"{summary}. " + (f"DOES NOT HOLD NOW: {failing}" if failing else "Holds now")
        undo = step.undo.header.what if step.undo else "nothing to undo unless repaired"
        return StepPreview(summary=summary, locks=locks, seconds=step.estimate_s, undo=undo)

    def waits_for_dumps(self, *, undo: bool) -> bool:
        """Where the repair, or its undo, changes definitions."""
        return dump_gate.changes_definitions(self.step.undo if undo else self.step.repair)

    def apply(self, ctx: StepContext) -> StepResult:
        """Assert; where that fails and a repair is declared: prove it on live rows, repair, assert again."""
        step = self.step
        with ctx.connect() as conn:
            with conn.transaction():
                conn.execute("SET TRANSACTION READ ONLY")
                script.set_local_timeouts(conn, step)
                said = self._ask(conn, step.sql)
            failing = [one.message for one in said if not one.ok]
            if not failing and self._repaired_before(ctx):
                assert step.repair is not None
                return self._repair_outside(ctx, conn, step.repair, ["an earlier attempt has repaired it"])
            if not failing:
                return StepResult(
                    summary=_holds(said),
                    skipped=step.repair is not None,
                    details={"messages": [one.message for one in said], "repaired": False},
                )
            if step.repair is None:
                raise StepFailed("; ".join(failing), kept="the assertion changed nothing")
            for message in failing:
                ctx.reporter.log("warn", f"does not hold, to be repaired: {message}", step=step.key)
            if script.needs_no_transaction(step.repair):
                return self._repair_outside(ctx, conn, step.repair, failing)
            return self._repair(ctx, conn, step.repair, failing)

    def undo(self, ctx: StepContext) -> StepResult:
        """Undo the repair, where one ran."""
        step = self.step
        if step.repair is None or step.undo is None:
            return StepResult(summary=step.undo_none or "nothing to undo", skipped=True)
        outside = script.needs_no_transaction(step.repair)
        if not ctx.details.get("repaired") and not (outside and ctx.begun and not ctx.applied):
            return StepResult(summary="nothing had to be repaired", skipped=True)
        if outside or script.needs_no_transaction(step.undo):
            if not outside_transaction.undo(ctx, step.repair, step.undo):
                return StepResult(summary="nothing of this run is there to undo", skipped=True)
            return StepResult(summary=step.undo.header.what)
        with ctx.connect() as conn, ledger.fenced(conn, ctx.job):
            script.set_local_timeouts(conn, step)
            execute_whole(conn, step.undo, ctx.job.plan.parameters)
            ledger.mark_undone(conn, ctx.job, phase=ctx.phase, step_key=step.key)
        return StepResult(summary=step.undo.header.what)

    def preview_undo(
        self, conn: psycopg.Connection[Any], run_uid: uuid.UUID, details: dict[str, Any]
    ) -> UndoPreview | None:
        """The undo file's header, where a repair ran."""
        undo = self.step.undo
        if undo is None or not details.get("repaired"):
            return None
        return UndoPreview(action=undo.header.what, locks=undo.header.locks, seconds=self.step.estimate_s)

    def _repair(
        self, ctx: StepContext, conn: psycopg.Connection[Any], repair: SqlFile, failing: list[str]
    ) -> StepResult:
        with ledger.fenced(conn, ctx.job):
            script.set_local_timeouts(conn, self.step)
            self._prove(conn)
            execute_whole(conn, repair, self.plan.parameters)
            result = self._repaired(self._ask(conn, self.step.sql), repair, failing)
            ledger.mark_applied(
                conn, ctx.job, phase=ctx.phase, step_key=self.step.key, details=record(result)
            )
        return result

    def _repair_outside(
        self, ctx: StepContext, conn: psycopg.Connection[Any], repair: SqlFile, failing: list[str]
    ) -> StepResult:
        """An index is built concurrently: it cannot be in one transaction with its proofs."""
        self._prove(conn)
        _, kept = outside_transaction.apply(ctx, repair)
        result = self._repaired(self._ask(conn, self.step.sql), repair, failing)
        return replace(result, details={**result.details, **kept})

    def _repaired_before(self, ctx: StepContext) -> bool:
        """Whether it holds since an earlier attempt repaired it and was killed before it said so."""
        repair = self.step.repair
        if repair is None or not ctx.begun or not script.needs_no_transaction(repair):
            return False
        return outside_transaction.has_happened(ctx, repair)

    def _prove(self, conn: psycopg.Connection[Any]) -> None:
        """The repair's own check on live rows. Raises StepFailed naming what it would break."""
        check = self.step.repair_check
        if check is None:
            return
        if broken := [one.message for one in self._ask(conn, check) if not one.ok]:
            raise StepFailed(
                f"the repair would not hold on live rows: {'; '.join(broken)}",
                kept="nothing was changed",
                next_step="correct those rows or their writers, or have the plan changed",
            )

    def _repaired(self, said: list[Said], repair: SqlFile, before: list[str]) -> StepResult:
        if still := [one.message for one in said if not one.ok]:
            raise StepFailed(f"does not hold after the repair either: {'; '.join(still)}")
        return StepResult(
            summary=f"repaired: {repair.header.what}; {_holds(said)}",
            details={"repaired": True, "before": before, "messages": [one.message for one in said]},
        )

    def _ask(self, conn: psycopg.Connection[Any], file: SqlFile) -> list[Said]:
        return script.assertion(script.execute(conn, file, self.plan.parameters), file)

    def _failing_now(self, conn: psycopg.Connection[Any]) -> str:
        """Why the assertion does not hold at this moment; empty when it does."""
        try:
            with conn.transaction():
                conn.execute("SET TRANSACTION READ ONLY")
                script.set_local_timeouts(conn, self.step)
                said = self._ask(conn, self.step.sql)
        except EngineError as error:
            return str(error)
        return "; ".join(one.message for one in said if not one.ok)


def _holds(said: list[Said]) -> str:
    return said[0].message if len(said) == 1 else f"all {len(said)} assertions hold"
