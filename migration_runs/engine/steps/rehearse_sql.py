"""``rehearse_sql``: every file of the plan executed in the scratch database before anything changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import psycopg

from migration_runs.engine import ledger, sample, scratch
from migration_runs.engine.move import sight
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.engine.rehearsal import Rehearsal
from migration_runs.engine.steps.base import StepContext, StepKind
from migration_runs.runbook.steps import RehearseSqlStep


class RehearseSqlKind(StepKind[RehearseSqlStep]):
    """Catches what would fail later: wrong columns, statements out of order, an undo that cannot run, a role
    that does not see what the copy's limits look at.
    """

    kind = "rehearse_sql"
    changes = False

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """That the target is only read."""
        return StepPreview(
            summary="restore the schema and some rows into the scratch database, execute every file of the "
            "plan there in order, then every undo in reverse",
            locks="ACCESS SHARE on the target's tables while their definitions are read",
            seconds=self.step.estimate_s,
            undo="none needed: the target is only read",
        )

    def apply(self, ctx: StepContext) -> StepResult:
        """Rehearse. Raises StepFailed naming the file and line that would have failed, or a missing grant."""
        with ctx.connect() as target:
            sight.require_for(target, self.plan)
        with scratch.opened(ctx.job, ctx.reporter) as conn:
            assert ctx.job.scratch_url is not None
            rows = sample.lay_out(ctx.job, ctx.reporter, conn)
            ledger.ensure(conn, dataclasses.replace(ctx.job, target_url=ctx.job.scratch_url))
            files = Rehearsal(conn, self.plan, ctx.reporter).play()
        return StepResult(
            summary=f"{files} executions of the plan's files, undo included, on {rows} sample rows",
            details={"executions": files, "sample_rows": rows},
        )
