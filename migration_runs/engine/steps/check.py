"""``check``: one of the runbook's health checks, run once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from migration_runs.engine import bounds, clock, health, ledger
from migration_runs.engine.outcome import StepPreview, StepResult, Waiting
from migration_runs.engine.steps.base import StepContext, StepKind
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import CheckStep

CODE_SWITCH = 5
"""A check of phase 6 asks what happened since this phase was finished."""

PATIENCE_FLOOR_S = 10.0
"""A check with patience is asked again for at least this many seconds of real time."""

LOOK_AGAIN_S = 2.0


class CheckKind(StepKind[CheckStep]):
    """A health check whose failure fails the step; pass, warn and closed do not."""

    kind = "check"
    changes = False

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What the check measures and how it is judged."""
        check = self.plan.runbook.check(self.step.check)
        return StepPreview(
            summary=f"{check.title}: pass {bounds.describe(check.passes, check.unit)}",
            locks="none",
            seconds=self.step.estimate_s,
            undo="none needed",
        )

    def apply(self, ctx: StepContext) -> StepResult:
        """Measure and judge; a wait while a failing check still has patience.

        Raises StepFailed with value, detail and bound.
        """
        with ctx.connect() as conn:
            since = _phase_finished(conn, ctx, CODE_SWITCH)
        outcome = health.run_check(ctx.job, self.step.check, since=since)
        value = "no value" if outcome.value is None else f"{outcome.value:g}"
        said = f"{outcome.verdict}: {value}" + (f" ({outcome.detail})" if outcome.detail else "")
        if outcome.verdict == "fail":
            text = f"{said}; {outcome.bound}" if outcome.bound else said
            left = self._patience_left(ctx)
            if left <= 0:
                raise StepFailed(
                    text,
                    kept="a check changes nothing",
                    next_step=self.plan.runbook.check(self.step.check).what_to_do,
                )
            return StepResult(
                summary=text,
                waiting=Waiting(
                    step=self.step.key,
                    kind="observation",
                    text=f"asked again for {left:.0f} s more: {text}",
                    look_again_s=min(max(left, 0.5), LOOK_AGAIN_S),
                ),
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

    def _patience_left(self, ctx: StepContext) -> float:
        """Real seconds for which this attempt may go on asking; its first failing answer starts the time."""
        if self.step.patience_s == 0:
            return 0.0
        whole = max(self.step.patience_s / self.plan.clock_speed, PATIENCE_FLOOR_S)
        with ctx.connect() as conn:
            now = _real_now(conn)
            if ctx.details.get("attempt") != ctx.job.attempt:
                details = {"attempt": ctx.job.attempt, "asked_from": now.isoformat()}
                with ledger.fenced(conn, ctx.job):
                    ledger.mark_intent(
                        conn, ctx.job, phase=ctx.phase, step_key=self.step.key, details=details
                    )
                return whole
        return whole - (now - datetime.fromisoformat(ctx.details["asked_from"])).total_seconds()


def _phase_finished(conn: psycopg.Connection[Any], ctx: StepContext, phase: int) -> datetime | None:
    """The market time at which the last step of an earlier phase was applied; None when none was."""
    finished = [
        step.finished_at
        for step in ledger.applied(conn, ctx.job.run_uid)
        if step.phase == phase and step.state == "applied" and step.finished_at is not None
    ]
    if not finished:
        return None
    ago = (_real_now(conn) - max(finished)) * ctx.job.plan.clock_speed
    return clock.market_now(conn, ctx.job.plan) - ago


def _real_now(conn: psycopg.Connection[Any]) -> datetime:
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now
