"""``check``: one of the runbook's health checks, run once."""

from __future__ import annotations

from typing import Any

import psycopg

from migration_runs.engine import health
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.engine.steps.base import StepContext, StepKind
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import CheckStep


class CheckKind(StepKind[CheckStep]):
    """A health check whose failure fails the step; pass, warn and closed do not."""

    kind = "check"
    changes = False

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What the check measures and how it is judged."""
        check = self.plan.runbook.check(self.step.check)
        return StepPreview(
            summary=f"{check.title}: pass {health.describe(check.passes, check.unit)}",
            locks="none",
            seconds=self.step.estimate_s,
            undo="none needed",
        )

    def apply(self, ctx: StepContext) -> StepResult:
        """Measure and judge. Raises StepFailed with value, detail and bound."""
        outcome = health.run_check(ctx.job, self.step.check, since=None)
        value = "no value" if outcome.value is None else f"{outcome.value:g}"
        said = f"{outcome.verdict}: {value}" + (f" ({outcome.detail})" if outcome.detail else "")
        if outcome.verdict == "fail":
            raise StepFailed(
                f"{said}; {outcome.bound}" if outcome.bound else said,
                kept="a check changes nothing",
                next_step=self.plan.runbook.check(self.step.check).what_to_do,
            )
        return StepResult(
            summary=said,
            details={
                "verdict": outcome.verdict,
                "value": outcome.value,
                "detail": outcome.detail,
                "bound": outcome.bound,
                "market_now": outcome.market_now.isoformat(),
            },
        )
