"""``snapshot``: keep the result of a query, for the record and for the steps that people compare it with."""

from __future__ import annotations

from typing import Any

import psycopg

from migration_runs.engine import script
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.engine.steps.base import StepContext, StepKind
from migration_runs.runbook.steps import SnapshotStep


class SnapshotKind(StepKind[SnapshotStep]):
    """A query whose rows are kept in the step's result. It reads in one read-only transaction."""

    kind = "snapshot"
    changes = False

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What the file's header says."""
        header = self.step.sql.header
        return StepPreview(
            summary=header.what, locks=header.locks, seconds=self.step.estimate_s, undo="none needed"
        )

    def apply(self, ctx: StepContext) -> StepResult:
        """Read, and keep what was read."""
        with ctx.connect() as conn, conn.transaction():
            conn.execute("SET TRANSACTION READ ONLY")
            script.set_local_timeouts(conn, self.step)
            rows = script.execute(conn, self.step.sql, self.plan.parameters)
        summary = script.shorten(rows[0]) if len(rows) == 1 else f"{len(rows)} rows kept"
        return StepResult(summary=summary, details={"returned": [script.jsonable(row) for row in rows]})
