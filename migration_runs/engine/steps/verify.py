"""``verify``: source and target compared row by row under one snapshot."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import psycopg

from migration_runs.engine.move import catalog, drain, verification
from migration_runs.engine.outcome import StepPreview, StepResult, Verification, Waiting
from migration_runs.engine.steps.base import StepContext, StepKind
from migration_runs.engine.steps.copy import stuck
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import VerifyStep

TRIES = 10
PAUSE_S = 0.2
EXAMPLES = 20
LOOK_AGAIN_S = 2.0


class VerifyKind(StepKind[VerifyStep]):
    """Every difference must be on the touched list, and at some moment there must be none at all."""

    kind = "verify"
    changes = False

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What is compared."""
        move = self.plan.runbook.move
        return StepPreview(
            summary=f"compare every mapped column of {move.source} and {move.target} in one snapshot",
            locks="ACCESS SHARE on both tables",
            seconds=self.step.estimate_s,
            undo="none needed: it reads",
        )

    def apply(self, ctx: StepContext) -> StepResult:
        """Ask until a quiet moment, draining in between; a difference without a reason fails at once."""
        with ctx.connect() as conn:
            shape = catalog.resolve(conn, self.plan.runbook.move, ctx.job.run_uid)
            for number in range(TRIES):
                ctx.reporter.beat()
                found = verification.compare(
                    conn, shape, examples=EXAMPLES, timeout_s=self.step.statement_timeout_s
                )
                if found.differing:
                    raise _failed(found)
                ctx.reporter.progress(
                    self.step.key,
                    found.source_rows - found.pending,
                    found.source_rows,
                    unit="rows",
                    note=f"{found.pending} rows wait to be drained" if found.pending else "",
                )
                if not found.pending:
                    return StepResult(
                        summary=f"equal: {found.source_rows} rows in {found.seconds:.1f} s",
                        details={"verification": dataclasses.asdict(found)},
                    )
                result = drain.settle(conn, ctx.job, shape, ctx.reporter)
                if result.stuck:
                    raise stuck(result)
                time.sleep(PAUSE_S * (number > 0))
        text = f"{found.pending} rows wait to be drained; compared again soon"
        return StepResult(
            summary=text,
            waiting=Waiting(step=self.step.key, kind="drain", text=text, look_again_s=LOOK_AGAIN_S),
        )


def _failed(found: Verification) -> StepFailed:
    first = "; ".join(
        f"{example.kind}: " + ", ".join(f"{name}={text}" for name, text in example.key.items())
        for example in found.examples[:5]
    )
    return StepFailed(
        f"source and target are not equal: {verification.in_words(found)}. First: {first}",
        kept="everything that was copied; dual-write stays on",
        next_step="find out who wrote these rows, correct them, and retry",
    )
