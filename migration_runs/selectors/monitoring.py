"""Monitoring windows with their rounds of checks."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from datetime import timedelta

from migration_runs.models import DueCheck, MonitoringWindow, Run
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.window_views import CheckView, RoundView, WindowView
from migration_runs.services.window import WHOLE

# The worst verdict of a round is what its tile shows.
NEVER = "never"
WORST = ("missed", "fail", "warn", "running", "due", "closed", "pass")


def windows_of(run: Run, plan: Plan) -> list[WindowView]:
    """All windows of a run, oldest first: two queries."""
    rows = list(run.windows.order_by("number"))
    due: dict[int, list[DueCheck]] = defaultdict(list)
    for check in DueCheck.objects.filter(window__run=run).order_by("round", "id"):
        due[check.window_id].append(check)
    return [_window(row, due[row.pk], plan) for row in rows]


def _window(row: MonitoringWindow, due: list[DueCheck], plan: Plan) -> WindowView:
    declared = {check.key: check for check in plan.runbook.checks}
    rounds: dict[int, list[CheckView]] = defaultdict(list)
    for check in due:
        known = declared.get(check.check_key)
        rounds[check.round].append(
            CheckView(
                key=check.check_key,
                title=known.title if known else check.check_key,
                round=check.round,
                due_at=check.due_at,
                late_after=check.late_after,
                state=check.state,
                verdict=check.verdict,
                value=check.value,
                detail=check.detail,
                bound=check.bound,
                market_open=check.market_open,
                finished_at=check.finished_at,
                what_to_do=known.what_to_do if known else "",
            )
        )
    views = tuple(
        RoundView(n, checks[0].due_at, _worst(checks), tuple(checks)) for n, checks in sorted(rounds.items())
    )
    counts = dict.fromkeys(("pass", "warn", "fail", "missed", "closed"), 0)
    for round_view in views:
        for view in round_view.checks:
            verdict = _verdict(view)
            if verdict in counts:
                counts[verdict] += 1
    window = plan.runbook.window
    open_rounds = sum(any(view.market_open for view in round_view.checks) for round_view in views)
    if row.ended_at is not None:  # what it still had to come will not be looked at
        views = tuple(dataclasses.replace(v, verdict=NEVER) if v.verdict == "due" else v for v in views)
    return WindowView(
        number=row.number,
        started_at=row.started_at,
        ends_at=row.started_at + timedelta(hours=window.hours / plan.clock_speed),
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        whole=row.ended_at is not None and row.end_reason == WHOLE,
        rounds=views,
        counts=counts,
        open_checks=open_rounds,
        open_needed=window.min_open_checks,
        next_due=next((view.due_at for view in views if view.verdict == "due"), None),
    )


def _verdict(check: CheckView) -> str:
    if check.state == "done":
        return check.verdict
    return {"missed": "missed", "running": "running"}.get(check.state, "due")


def _worst(checks: list[CheckView]) -> str:
    return min((_verdict(check) for check in checks), key=WORST.index)
