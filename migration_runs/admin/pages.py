"""Pages of a run that only show: GET, no change of state, whoever looks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from migration_runs.models import Run
from migration_runs.selectors import live_stamp
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.run_views import RunView

RUN_STATES_IN_FRONT = frozenset(
    {"draft", "awaiting_approval", "approved", "completed", "sealed", "cancelled", "rolled_back"}
)

UNCHANGED = 204  # htmx leaves the page as it is

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, int, P], HttpResponse]


def for_readers(view: View[P]) -> View[P]:
    """Only those who may read runs; a run that is not there is 404."""

    @wraps(view)
    def checked(request: HttpRequest, run_id: int, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.has_perm("migration_runs.view_run"):
            raise PermissionDenied
        try:
            return view(request, run_id, *args, **kwargs)
        except Run.DoesNotExist:
            raise Http404(f"there is no run {run_id}") from None

    return cast(View[P], checked)


def reader(request: HttpRequest) -> User:
    """Who is asking."""
    assert isinstance(request.user, User)
    return request.user


def context(request: HttpRequest, run: RunView, **more: Any) -> dict[str, Any]:
    """What every page of a run needs."""
    given = sum(row.state == "given" for row in run.sign_offs)
    in_front = run.state in RUN_STATES_IN_FRONT
    return {
        **admin.site.each_context(request),
        "run": run,
        "signed": given,
        "unsigned": sum(row.state not in {"given", "not_asked"} for row in run.sign_offs),
        "state_template": f"migration_runs/state/run_{run.state}.html"
        if in_front
        else f"migration_runs/state/phase_{run.current.state}.html",
        **more,
    }


@require_GET
@for_readers
def run_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """The run page."""
    # The stamp first: what changes while the page is made is drawn at the next poll.
    stamp = live_stamp.stamp_of(run_id)
    run = run_view(run_id, person=reader(request))
    return render(request, "migration_runs/run.html", context(request, run, tab="run", stamp=stamp))


@require_GET
@for_readers
def run_live(request: HttpRequest, run_id: int) -> HttpResponse:
    """The live part of the run page; 204 where nothing has changed since the page was drawn."""
    stamp = live_stamp.stamp_of(run_id)
    if request.GET.get("seen") == stamp:
        return HttpResponse(status=UNCHANGED)
    run = run_view(run_id, person=reader(request))
    return render(request, "migration_runs/_live.html", context(request, run, tab="run", stamp=stamp))
