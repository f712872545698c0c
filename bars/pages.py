"""Pages of the bars: every series with its freshness, and a chart. They only show, whoever looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from bars import charting, drawing, freshness, panel_data, timeframes
from bars.forms import LARGEST, USUAL, ChartForm
from bars.models import AggregationTask
from bars.panel_data import Asset, Clock, Series
from bars.timeframes import STEPS

UNAVAILABLE = 503
LISTED = 50
"""Differences and other findings that are listed; how many there are is said."""

ROWS = 4 * LARGEST
"""Rows that are read for one chart: bars beside the grid and in closed hours come on top of its places."""

FIRST_CHOICE = "DXY"
View = Callable[[HttpRequest], HttpResponse]


def _target_may_be_down(view: View) -> View:
    """The page, or one that says why the target cannot be read now; the rest of the panel goes on."""

    @wraps(view)
    def shown(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except DatabaseError as error:
            why = str(error).strip().partition("\n")[0]
            more = {**admin.site.each_context(request), "title": "Bars", "why": why, "again": request.path}
            return render(request, "bars/unreadable.html", more, status=UNAVAILABLE)

    return shown


@dataclass(frozen=True)
class SeriesRow:
    """A series with the judgement on its newest bar."""

    series: Series
    freshness: str
    chart: str


@dataclass(frozen=True)
class TaskRow:
    """An aggregation task: what it is doing, and whether its next window is late."""

    task: AggregationTask
    state: str


@dataclass(frozen=True)
class AssetRow:
    """A symbol with its aggregation tasks."""

    asset: Asset
    tasks: tuple[TaskRow, ...]

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """Its metadata as words."""
        given = (self.asset.metadata or {}).items()
        return [
            (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
            for name, value in given
        ]


@require_GET
@_target_may_be_down
def series_page(request: HttpRequest) -> HttpResponse:
    """Every series with count, newest bar and freshness; the registry with its aggregation tasks."""
    clock = panel_data.clock()
    rows = [
        SeriesRow(
            series=one,
            freshness=freshness.of_series(one.newest, one.timeframe, now=clock.now, speed=clock.speed),
            chart=_chart_of(one.symbol, one.timeframe),
        )
        for one in panel_data.series()
    ]
    tasks: dict[str, list[TaskRow]] = defaultdict(list)
    for task in AggregationTask.objects.order_by("canonical_symbol", "run_interval_minutes"):
        tasks[task.canonical_symbol].append(TaskRow(task, _state_of(task, clock)))
    assets = [AssetRow(asset, tuple(tasks[asset.symbol])) for asset in panel_data.registry()]
    more = {
        **admin.site.each_context(request),
        "title": "Series",
        "clock": clock,
        "rows": rows,
        "late": sum(row.freshness == "late" for row in rows),
        "estimated": any(not row.series.exact for row in rows),
        "assets": assets,
        "stopped": [row for each in assets for row in each.tasks if row.task.status in STOPPED],
    }
    return render(request, "bars/series.html", more)


STOPPED = frozenset({"disabled", "hard_failed"})


def _state_of(task: AggregationTask, clock: Clock) -> str:
    """The task's status; of one that waits or runs, whether its next window should have been made."""
    if task.status in STOPPED:
        return f"task_{task.status}"
    if task.last_agg_bar_ts_utc is None:
        return "task_not_begun"
    judged = freshness.of_window(
        task.last_agg_bar_ts_utc,
        timedelta(minutes=task.run_interval_minutes),
        timedelta(seconds=task.aggregation_delay_seconds),
        now=clock.now,
        speed=clock.speed,
    )
    return "late" if judged == "late" else f"task_{task.status}"


def _chart_of(symbol: str, timeframe: str, **more: Any) -> str:
    query = {"symbol": symbol, "timeframe": timeframe} | more
    return f"{reverse('bars_chart')}?{urlencode(query)}"


@require_GET
@_target_may_be_down
def chart_page(request: HttpRequest) -> HttpResponse:
    """A candlestick chart of a symbol and timeframe, from both tables, with what differs marked."""
    symbols = [asset.symbol for asset in panel_data.registry()]
    first = FIRST_CHOICE if FIRST_CHOICE in symbols else next(iter(symbols), "")
    given = {"symbol": first, "timeframe": next(iter(STEPS)), "count": str(USUAL)} | request.GET.dict()
    form = ChartForm(given, symbols=symbols)
    more = {**admin.site.each_context(request), "title": "Chart", "form": form}
    if form.is_valid():
        more |= _chart(form.cleaned_data)
    return render(request, "bars/chart.html", more)


def _chart(given: dict[str, Any]) -> dict[str, Any]:
    symbol, timeframe, count = given["symbol"], given["timeframe"], given["count"] or USUAL
    step, clock = STEPS[timeframe], panel_data.clock()
    extent = panel_data.extent(symbol, timeframe)
    shown = {"symbol": symbol, "timeframe": timeframe, "clock": clock}
    if extent is None:
        return shown
    oldest, newest = extent
    start, stop, cut = _span(given, step, count, newest=newest)
    held = panel_data.bars(symbol, timeframe, start=start, stop=stop, limit=ROWS)
    chart = charting.chart(held, start=start, stop=stop, step=step, since=oldest, now=clock.now)
    moment = "%Y-%m-%dT%H:%M"
    return shown | {
        "chart": chart,
        "drawing": drawing.draw(chart),
        "start": start,
        "stop": stop,
        "cut": cut,
        "largest": LARGEST,
        "first_price": next((one.bar for one in chart.candles if one.bar), None),
        "last_price": next((one.bar for one in reversed(chart.candles) if one.bar), None),
        "listed": chart.differences[:LISTED],
        "unlisted": max(0, len(chart.differences) - LISTED),
        "older": _chart_of(symbol, timeframe, count=count, until=start.strftime(moment)),
        "newer": _chart_of(symbol, timeframe, count=count, since=stop.strftime(moment))
        if stop <= newest
        else "",
        "newest": _chart_of(symbol, timeframe, count=count),
    }


def _span(
    given: dict[str, Any], step: timedelta, count: int, *, newest: datetime
) -> tuple[datetime, datetime, bool]:
    """The stretch to draw, and whether it was cut to what fits into a chart."""
    since, until = given["since"], given["until"]
    if since and until:
        longest = timeframes.before(until, step, LARGEST)
        return max(timeframes.floor(since, step), longest), until, since < longest
    if since:
        return timeframes.floor(since, step), timeframes.after(since, step, count), False
    stop = until or newest + step
    return timeframes.before(stop, step, count), stop, False
