"""``monitor``: wait until the monitoring window is whole."""

from __future__ import annotations

from typing import Any

import psycopg

from migration_runs.engine.outcome import StepPreview, StepResult, Waiting
from migration_runs.engine.steps.base import StepContext, StepKind
from migration_runs.runbook.steps import MonitorStep


class MonitorKind(StepKind[MonitorStep]):
    """Gives the worker back until the control side says that the window is whole.

    The checks are due rows in the control database, made when the wait begins; their results decide. This
    step measures nothing itself, so that no worker has to live for a day.
    """

    kind = "monitor"
    changes = False

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """How long, how often, and what would end it."""
        window = self.plan.runbook.window
        checks = sum(check.in_window for check in self.plan.runbook.checks)
        return StepPreview(
            summary=f"{window.hours:g} h of the market's clock, {checks} checks each "
            f"{window.interval_minutes:g} min; a failed or missed check holds the run",
            locks="none",
            seconds=window.hours * 3600 / self.plan.clock_speed,
            undo="none needed",
        )

    def apply(self, ctx: StepContext) -> StepResult:
        """Done when the window is whole, else a wait for it."""
        window = self.plan.runbook.window
        if ctx.reporter.window_whole():
            return StepResult(summary=f"{window.hours:g} h without a failed or missed check")
        real_interval = window.interval_minutes * 60 / self.plan.clock_speed
        return StepResult(
            summary="the window is not whole yet",
            waiting=Waiting(
                step=self.step.key,
                kind="window",
                text=f"the window of {window.hours:g} h is not whole yet",
                look_again_s=min(max(real_interval, 0.5), 60.0),
            ),
        )
