"""The monitoring page: windows, the checks of one hour, charts of what they measured."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from migration_runs.admin.pages import UNCHANGED, context, for_readers, reader
from migration_runs.selectors import live_stamp
from migration_runs.selectors.charts import charts_of
from migration_runs.selectors.handover import handover_of
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.run_views import RunView
from migration_runs.selectors.window_views import RoundView, WindowView
from migration_runs.services.plan_store import plan_of


@require_GET
@for_readers
def monitoring_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """Every window with its checks; ``?window=2&hour=17`` opens one hour of one of them."""
    return _monitoring(request, run_id, "migration_runs/monitoring.html")


@require_GET
@for_readers
def monitoring_live(request: HttpRequest, run_id: int) -> HttpResponse:
    """The live part of the monitoring page, with the same hour open; 204 where nothing has changed."""
    return _monitoring(request, run_id, "migration_runs/_monitoring.html")


def _monitoring(request: HttpRequest, run_id: int, template: str) -> HttpResponse:
    stamp = live_stamp.stamp_of(run_id)
    if request.GET.get("seen") == stamp:
        return HttpResponse(status=UNCHANGED)
    run = run_view(run_id, person=reader(request))
    window, hour, chosen = _opened(request, run)
    more: dict[str, Any] = {
        "tab": "monitoring",
        "page_title": "Monitoring",
        "past": tuple(reversed(run.past_windows)),
        "open_window": window,
        "hour": hour,
        "stamp": stamp,
        "query": f"window={window.number}&hour={hour.number}" if window and hour and chosen else "",
        "charts": charts_of(window, plan_of(run.digest)),
        "card": handover_of(run_id, reader(request)),
    }
    return render(request, template, context(request, run, **more))


def _opened(request: HttpRequest, run: RunView) -> tuple[WindowView | None, RoundView | None, bool]:
    """The window and hour that are open, and whether the reader chose them.

    Otherwise the newest hour with a result; an address that leads nowhere counts as none.
    """
    windows = {view.number: view for view in (*run.past_windows, run.window) if view is not None}
    window = windows.get(_number(request, "window") or 0, run.window)
    hour = _number(request, "hour")
    chosen = window.round(hour) if window is not None and hour is not None else None
    if window is None or chosen is not None:
        return window, chosen, chosen is not None
    return window, window.last or next(iter(window.shown_rounds), None), False


def _number(request: HttpRequest, name: str) -> int | None:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 7 else None
