"""The audit trail: all of it, of one run, and event by event; and its export. Every address only shows."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET

from migration_runs.admin.pages import context, for_readers, reader
from migration_runs.admin.records import ReadOnlyAdmin
from migration_runs.admin.trail_forms import TrailForm
from migration_runs.models import AuditEvent
from migration_runs.selectors import trail_pages
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.trail_filter import TrailFilter
from migration_runs.selectors.trail_views import TrailEvent

COLUMNS = (
    "seq", "at", "run_id", "run", "actor", "actor_how", "action", "object", "sentence", "detail", "prev_hash",
    "hash",
)  # fmt: skip
"""Of the export as CSV. New ones are added at the end."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet may take for a formula."""


@require_GET
def trail_page(request: HttpRequest, **_: Any) -> HttpResponse:
    """The whole trail."""
    _must_read(request)
    shown = _shown(request, None, reverse("admin:migration_runs_auditevent_changelist"))
    more = {**admin.site.each_context(request), "title": "Audit", **shown}
    return render(request, "migration_runs/trail.html", more)


@require_GET
@for_readers
def run_trail(request: HttpRequest, run_id: int) -> HttpResponse:
    """The trail of a run, on its tab."""
    run = run_view(run_id, person=reader(request))
    shown = _shown(request, run_id, reverse("admin:migration_runs_run_audit", args=[run_id]))
    return render(
        request, "migration_runs/audit.html", context(request, run, tab="audit", page_title="Audit", **shown)
    )


def _shown(request: HttpRequest, run_id: int | None, here: str) -> dict[str, Any]:
    """What both pages show: the form, its events, the chain, and the addresses of what is beside them."""
    form = TrailForm(request.GET, of_run=run_id)
    wanted, page = None, None
    if form.is_valid():
        wanted = form.filter()
        given = form.cleaned_data
        page = trail_pages.page(wanted, before=given["before"], after=given["after"])

    def address(to: str, **more: Any) -> str:
        query = (wanted.query() if wanted else {}) | {name: str(value) for name, value in more.items()}
        if to == here and run_id is not None:
            query.pop("run", None)
        return f"{to}?{urlencode(query)}" if query else to

    export = reverse("admin:migration_runs_auditevent_export")
    return {
        "form": form,
        "page": page,
        "narrowed": bool(wanted and (wanted if run_id is None else wanted.query().keys() - {"run"})),
        "chain": trail_pages.chain(),
        "of_run": run_id,
        "here": here,
        "newest": address(here),
        "newer": address(here, after=page.newer_than) if page and page.newer_than else "",
        "older": address(here, before=page.older_than) if page and page.older_than else "",
        "jsonl": address(export, format="jsonl"),
        "csv": address(export, format="csv"),
    }


@require_GET
def event_page(request: HttpRequest, seq: int) -> HttpResponse:
    """One event: what was done, the raw event, and whether it is as it was written."""
    _must_read(request)
    try:
        found = trail_pages.event_page(seq)
    except AuditEvent.DoesNotExist:
        raise Http404(f"there is no event {seq}") from None
    more = {**admin.site.each_context(request), "title": f"Event #{seq}", "found": found}
    return render(request, "migration_runs/trail_event.html", more)


@require_GET
def export(request: HttpRequest) -> HttpResponse:
    """The events that a filter finds as a file, oldest first, streamed."""
    _must_read(request)
    form = TrailForm(request.GET)
    kind = request.GET.get("format", "jsonl")
    if kind not in WRITERS or not form.is_valid():
        return HttpResponseBadRequest("This export cannot be made: its format or its filter is unknown.\n")
    wanted: TrailFilter = form.filter()
    write, content_type = WRITERS[kind]
    response = StreamingHttpResponse(write(trail_pages.all_of(wanted)), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{wanted.file_name()}.{kind}"'
    return cast(HttpResponse, response)


def _as_jsonl(events: Iterator[TrailEvent]) -> Iterator[str]:
    """The same lines as ``manage.py audit export``: what hashes are over, and the hash."""
    for shown in events:
        yield json.dumps(shown.raw, sort_keys=True, ensure_ascii=False) + "\n"


class _Line:
    """Where the csv module writes: hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def _as_csv(events: Iterator[TrailEvent]) -> Iterator[str]:
    """A table for people and spreadsheets. The detail is JSON in one cell."""
    lines = csv.writer(_Line())
    yield lines.writerow(COLUMNS)
    for shown in events:
        more = {
            "run_id": shown.run_id or "",
            "run": shown.run_name,
            "sentence": shown.event.sentence,
            "detail": json.dumps(shown.raw["detail"], sort_keys=True, ensure_ascii=False),
        }
        row = shown.raw | more
        yield lines.writerow([_harmless(str(row[column])) for column in COLUMNS])


def _harmless(cell: str) -> str:
    """The cell as text, whatever a spreadsheet thinks of its beginning: an apostrophe goes before it."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


Writer = Callable[[Iterator[TrailEvent]], Iterator[str]]
WRITERS: dict[str, tuple[Writer, str]] = {
    "jsonl": (_as_jsonl, "application/x-ndjson; charset=utf-8"),
    "csv": (_as_csv, "text/csv; charset=utf-8"),
}


def _must_read(request: HttpRequest) -> None:
    if not request.user.has_perm("migration_runs.view_auditevent"):
        raise PermissionDenied


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """The audit trail of all runs, at the addresses where the admin expects its list and its rows."""

    def get_urls(self) -> list[URLPattern]:
        """Pages of our own alone: nothing of the admin's can be reached below this address."""

        def at(route: str, view: Any, name: str) -> URLPattern:
            address: URLPattern = path(
                route, self.admin_site.admin_view(view), name=f"migration_runs_auditevent_{name}"
            )
            return address

        return [
            at("", trail_page, "changelist"),
            at("export/", export, "export"),
            at("<int:seq>/change/", event_page, "change"),
        ]
