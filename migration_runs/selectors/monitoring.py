"""Monitoring windows with their rounds of checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from migration_runs.engine import calendar
from migration_runs.models import DueCheck, MonitoringWindow, Run
from migration_runs.runbook.monitoring import Check
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.check_rules import amount, rule_of
from migration_runs.selectors.window_views import CheckView, RoundView, WindowView
from migration_runs.services.window import WHOLE

# The worst verdict of a round is what its tile shows.
WORST = ("missed", "fail", "warn", "running", "due_now", "due", "closed", "pass", "never")
COUNTED = ("pass", "warn", "fail", "missed", "closed")


def windows_of(run: Run, plan: Plan, *, now: datetime) -> list[WindowView]:
    """All windows of a run, oldest first: two queries. ``now`` is the control database's."""
    rows = list(run.windows.order_by("number"))
    due: dict[int, list[DueCheck]] = defaultdict(list)
    for check in DueCheck.objects.filter(window__run=run).order_by("round", "id"):
        due[check.window_id].append(check)
    declared = {check.key: check for check in plan.runbook.checks}
    rules = {key: rule_of(check, clock_speed=plan.clock_speed) for key, check in declared.items()}
    return [_window(row, due[row.pk], plan, declared, rules, now=now) for row in rows]


def _window(
    row: MonitoringWindow,
    due: list[DueCheck],
    plan: Plan,
    declared: dict[str, Check],
    rules: dict[str, str],
    *,
    now: datetime,
) -> WindowView:
    rounds: dict[int, list[CheckView]] = defaultdict(list)
    for check in due:
        known, rule = declared.get(check.check_key), rules.get(check.check_key, "")
        rounds[check.round].append(_check(check, known, rule))
    views = tuple(
        RoundView(n, checks[0].due_at, _worst(checks, now), tuple(checks), on_hold=_on_hold(row, checks[0]))
        for n, checks in sorted(rounds.items())
    )
    counts = dict.fromkeys(COUNTED, 0)
    own = [view for view in views if not view.on_hold]
    for round_view in own:
        for view in round_view.checks:
            if view.shown in counts:
                counts[view.shown] += 1
    window = plan.runbook.window
    return WindowView(
        number=row.number,
        started_at=row.started_at,
        ends_at=row.started_at + timedelta(hours=window.hours / plan.clock_speed),
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        whole=row.ended_at is not None and row.end_reason == WHOLE,
        rounds=views,
        counts=counts,
        open_checks=sum(any(view.market_open for view in round_view.checks) for round_view in own),
        open_needed=window.min_open_checks,
        next_due=next((view.due_at for view in views if view.verdict in {"due", "due_now"}), None),
        now=now,
        hours=window.hours,
        interval_minutes=window.interval_minutes,
        clock_speed=plan.clock_speed,
        closed_since=_closed_since(due, plan),
    )


def _check(row: DueCheck, known: Check | None, rule: str) -> CheckView:
    unit = known.unit if known else "number"
    return CheckView(
        key=row.check_key,
        title=known.title if known else row.check_key,
        round=row.round,
        due_at=row.due_at,
        late_after=row.late_after,
        state=row.state,
        verdict=row.verdict,
        value=row.value,
        detail=row.detail,
        bound=row.bound,
        market_open=row.market_open,
        finished_at=row.finished_at,
        what_to_do=known.what_to_do if known else "",
        unit=unit,
        rule=rule,
        said=amount(row.value, unit),
        second=row.shown,
    )


def _on_hold(row: MonitoringWindow, check: CheckView) -> bool:
    """Due after its window had ended: the run is, or was, held, and checks go on."""
    return row.ended_at is not None and row.end_reason != WHOLE and check.due_at > row.ended_at


def _closed_since(due: Iterable[DueCheck], plan: Plan) -> datetime | None:
    """Since when, in market time, the market is closed, as the newest result has it; None when open."""
    asked = [row for row in due if row.finished_at and row.market_now and row.market_open is not None]
    newest = max(asked, key=lambda row: row.finished_at or row.due_at, default=None)
    if newest is None or newest.market_open or newest.market_now is None:
        return None
    return calendar.closed_since(plan.runbook.window.sessions, newest.market_now) or newest.market_now


def _worst(checks: list[CheckView], now: datetime) -> str:
    def verdict(check: CheckView) -> str:
        return "due_now" if check.shown == "due" and check.due_at <= now else check.shown

    return min((verdict(check) for check in checks), key=WORST.index)
