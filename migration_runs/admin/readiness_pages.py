"""The readiness checklist: the page, and taking a tick back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from migration_runs.admin.forms import ReasonForm
from migration_runs.admin.pages import context, for_readers, reader
from migration_runs.exceptions import Refused
from migration_runs.selectors.readiness import groups_of
from migration_runs.selectors.run_page import run_view
from migration_runs.services import readiness


@require_GET
@for_readers
def readiness_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """The readiness checklist in its four groups: what is so, what is missing, and whose it is."""
    run = run_view(run_id, person=reader(request))
    groups = groups_of(run.readiness)
    more = {
        "tab": "readiness",
        "page_title": "Readiness",
        "groups": groups,
        "gate_open": [item for group in groups if group.gates for item in group.missing],
        "mine": [item for item in run.readiness if item.may_tick],
        "not_started": run.started_at is None and run.finished_at is None,
    }
    return render(request, "migration_runs/readiness.html", context(request, run, **more))


@require_POST
@for_readers
def untick(request: HttpRequest, run_id: int, item: str) -> HttpResponse:
    """Take the tick of an item back, with a reason."""
    form = ReasonForm(request.POST)
    try:
        if not form.is_valid():
            raise Refused(" ".join(map(str, form.errors["reason"])), rule="comment")
        readiness.untick(
            run_id, item=item, reason=form.cleaned_data["reason"], person=reader(request), how="web"
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Taken back: the item is open again.")
    return redirect("admin:migration_runs_run_readiness", run_id=run_id)
