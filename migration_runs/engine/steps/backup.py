"""``backup``: a dump of the named tables and of every function, proven by restoring it."""

from __future__ import annotations

from typing import Any

import psycopg

from migration_runs.engine import archive, backup
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.engine.steps.base import StepContext, StepKind
from migration_runs.runbook.steps import BackupStep


class BackupKind(StepKind[BackupStep]):
    """Changes nothing in the target; the file stays when the run is rolled back."""

    kind = "backup"
    changes = False

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """Which tables, and how large they are now."""
        tables = ", ".join(self.step.tables)
        summary = f"dump {tables} and every function, restore it in the scratch database, compare the counts"
        if conn is not None:
            size = archive.scope(conn, self.plan, self.step.tables).bytes
            summary += f" ({size / 1e6:.1f} MB in the target)"
        return StepPreview(
            summary=summary,
            locks="ACCESS SHARE on the tables while they are read",
            seconds=self.step.estimate_s,
            undo="none needed: the file stays",
        )

    def undo(self, ctx: StepContext) -> StepResult:
        """Nothing of the target; but no half of a dump is left by a worker that was killed."""
        if backup.forget_part(ctx.job, self.step):
            return StepResult(summary="removed an unfinished dump")
        return StepResult(summary="the file stays", skipped=True)

    def waits_for_dumps(self, *, undo: bool) -> bool:
        """Two dumps at once would share the disk's speed, and the other one came first."""
        return not undo

    def apply(self, ctx: StepContext) -> StepResult:
        """Dump and prove. A file that an earlier attempt left is replaced."""
        made = backup.make(ctx.job, ctx.reporter, self.step)
        ctx.reporter.log("info", f"dumped {made.written.size} bytes to {made.path}", step=self.step.key)
        restored = backup.prove(ctx.job, ctx.reporter, made)
        rows = sum(made.counts.values())
        return StepResult(
            summary=f"{rows} rows of {len(made.counts)} tables and {len(made.scope.functions)} declared "
            f"functions in {made.path.name} ({made.written.size} bytes), restored and counted",
            rows=rows,
            details={
                "path": str(made.path),
                "bytes": made.written.size,
                "sha256": made.written.sha256,
                "counts": made.counts,
                "restored": restored,
                "functions": list(made.scope.functions),
                "pg_dump": made.version,
            },
        )
