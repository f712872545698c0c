"""Charts of what the checks of a window measured: every number, by its own check's limits and unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from migration_runs.runbook.monitoring import Check
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.chart_scale import Scale, scale_of
from migration_runs.selectors.chart_views import (
    WIDTH,
    Band,
    ChartsView,
    ChartView,
    Dot,
    FlatView,
    LimitLine,
    ValueRow,
)
from migration_runs.selectors.check_rules import Limit, amount, closed_limits_of, limits_of, rule_of
from migration_runs.selectors.window_views import CheckView, RoundView, WindowView

X_LABELS = 5
UNITS = ("seconds", "price", "number", "count")
"""In this order: how old and how late first."""


@dataclass(frozen=True)
class _Series:
    """Values of one kind: what a check measures, or what it measures instead in closed hours."""

    key: str
    title: str
    unit: str
    rule: str
    limits: tuple[Limit, ...]
    checks: tuple[CheckView | None, ...]
    second: bool = False

    def value(self, check: CheckView) -> float | None:
        return check.second if self.second else check.value

    @property
    def measured(self) -> list[tuple[CheckView, float]]:
        found = ((check, self.value(check)) for check in self.checks if check is not None)
        return [(check, value) for check, value in found if value is not None]


def charts_of(window: WindowView | None, plan: Plan) -> ChartsView:
    """The window's charts, and the checks whose value has not changed. No query."""
    if window is None:
        return ChartsView((), ())
    charts, flat = [], []
    for series in sorted(_all_series(window, plan), key=lambda found: UNITS.index(found.unit)):
        values = [value for _, value in series.measured]
        if len(set(values)) > 1:
            charts.append(_chart(series, window))
        elif values:
            said = amount(values[0], series.unit)
            flat.append(FlatView(series.key, series.title, said, len(values), series.rule))
    return ChartsView(tuple(charts), tuple(flat))


def _all_series(window: WindowView, plan: Plan) -> Iterator[_Series]:
    for check in plan.runbook.checks:
        found = tuple(next((v for v in r.checks if v.key == check.key), None) for r in window.rounds)
        if not any(found):
            continue
        rule = rule_of(check, clock_speed=plan.clock_speed)
        limits = limits_of(check, clock_speed=plan.clock_speed)
        measures_lag = check.when_closed == "lag" and check.closed_sql is not None
        own = tuple(None if measures_lag and _closed(view) else view for view in found)
        yield _Series(check.key, check.title, check.unit, rule, limits, own)
        if check.shows is not None:
            shows = check.shows
            yield _Series(f"{check.key}-shown", shows.title, shows.unit, "", (), found, second=True)
        if measures_lag:
            yield _lag(check, tuple(view if _closed(view) else None for view in found), rule, plan)


def _lag(check: Check, found: tuple[CheckView | None, ...], rule: str, plan: Plan) -> _Series:
    limits = closed_limits_of(check, clock_speed=plan.clock_speed)
    return _Series(f"{check.key}-closed", f"{check.title}: lag while closed", check.unit, rule, limits, found)


def _closed(view: CheckView | None) -> bool:
    return view is not None and view.market_open is False


def _chart(series: _Series, window: WindowView) -> ChartView:
    measured = series.measured
    values = [value for _, value in measured]
    scale = scale_of(values, series.limits, series.unit)
    span = _Span.of(window)
    drawn = [limit for limit in series.limits if scale.holds(limit.value)]
    low, high = amount(min(values), series.unit), amount(max(values), series.unit)
    newest = amount(values[-1], series.unit)
    return ChartView(
        key=series.key,
        title=series.title,
        label=_label(series, window, low=low, high=high, newest=newest),
        newest=newest,
        lines=tuple(_lines(series, scale, span)),
        dots=tuple(
            Dot(span.x(check.due_at), scale.y(value), check.shown)
            for check, value in measured
            if check.shown in {"warn", "fail"} and not series.second
        ),
        missed=tuple(span.x(c.due_at) for c in series.checks if c is not None and c.shown == "missed"),
        limits=tuple(LimitLine(scale.y(limit.value), limit.kind) for limit in drawn),
        grid=tuple(scale.y(tick) for tick in scale.ticks),
        closed=tuple(_closed_bands(window, span)),
        future=span.future(window),
        y_labels=tuple(_tick(tick, series, drawn, scale.decimals) for tick in reversed(scale.ticks)),
        x_labels=span.labels(),
        legend=tuple(
            (limit.kind, limit.words + ("" if limit in drawn else ", outside this scale"))
            for limit in series.limits
        ),
        range_said=f"low {low}, high {high}",
        rows=tuple(
            ValueRow(
                check.round, check.due_at, amount(series.value(check), series.unit), check.shown, check.detail
            )
            for check in series.checks
            if check is not None and (series.value(check) is not None or check.bad)
        ),
    )


def _label(series: _Series, window: WindowView, *, low: str, high: str, newest: str) -> str:
    said = f"{series.title}, window {window.number}: lowest {low}, highest {high}, last {newest}"
    limits = "; ".join(limit.words for limit in series.limits)
    missed = sum(check is not None and check.shown == "missed" for check in series.checks)
    return said + (f"; {limits}" if limits else "") + (f"; {missed} missed" if missed else "")


def _tick(tick: float, series: _Series, drawn: Sequence[Limit], decimals: int) -> str:
    kinds = [limit.kind for limit in drawn if limit.value == tick]
    return " ".join([amount(tick, series.unit, decimals=decimals), *kinds])


def _lines(series: _Series, scale: Scale, span: _Span) -> Iterator[str]:
    """Points of each stretch without a gap: what was not measured is not drawn through."""
    stretch: list[str] = []
    for check in series.checks:
        value = series.value(check) if check is not None else None
        if check is not None and value is not None:
            stretch.append(f"{span.x(check.due_at)},{scale.y(value)}")
            continue
        yield from _line(stretch)
        stretch = []
    yield from _line(stretch)


def _line(stretch: list[str]) -> Iterator[str]:
    """One value alone is a line to itself, which its round ends make a dot."""
    if stretch:
        yield " ".join(stretch if len(stretch) > 1 else stretch * 2)


@dataclass(frozen=True)
class _Span:
    """The time from the left edge to the right."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, window: WindowView) -> _Span:
        last = window.shown_rounds[-1].due_at if window.shown_rounds else window.ends_at
        end = last if window.ended_at is not None else max(last, window.ends_at)
        return cls(window.started_at, max(end, window.started_at + timedelta(seconds=1)))

    def x(self, at: datetime) -> float:
        part = (at - self.start) / (self.end - self.start)
        return round(min(max(part, 0.0), 1.0) * WIDTH, 1)

    def labels(self) -> tuple[datetime, ...]:
        step = (self.end - self.start) / (X_LABELS - 1)
        return tuple(self.start + number * step for number in range(X_LABELS))

    def future(self, window: WindowView) -> Band | None:
        if window.ended_at is not None or window.now >= self.end:
            return None
        left = self.x(window.now)
        return Band(left, round(WIDTH - left, 1))


def _closed_bands(window: WindowView, span: _Span) -> Iterator[Band]:
    """Where results say that the market was closed, half an interval to each side of them."""
    half = timedelta(minutes=window.interval_minutes / window.clock_speed) / 2
    run: list[RoundView] = []
    for view in (*window.rounds, None):
        if view is not None and view.in_closed_hours:
            run.append(view)
        elif run:
            left = span.x(run[0].due_at - half)
            right = span.x(min(run[-1].due_at + half, max(window.now, run[-1].due_at)))
            yield Band(left, round(max(right - left, 1.0), 1))
            run = []
