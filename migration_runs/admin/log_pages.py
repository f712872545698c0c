"""The whole log of a run: page by page with a filter, and as a file. Both addresses only show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from migration_runs.admin.pages import context, for_readers, reader
from migration_runs.models import Run
from migration_runs.selectors import log_pages
from migration_runs.selectors.log_pages import LogFilter
from migration_runs.selectors.run_page import run_view

WARNINGS = "warnings"
MOST_DIGITS = 18  # of a line's number; more would be beyond the column


@require_GET
@for_readers
def log_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """Two hundred lines that fit, the last ones or those before line ``before``."""
    run = run_view(run_id, person=reader(request))
    wanted = _wanted(request)
    page = log_pages.log_page(run_id, wanted, before=_before(request))
    here = reverse("admin:migration_runs_run_log_lines", args=[run_id])
    query = {"level": WARNINGS if wanted.warnings else "all", "text": wanted.text}
    shown = {
        "page": page,
        "wanted": wanted,
        "here": here,
        "newest": f"{here}?{urlencode(query)}" if "before" in request.GET else "",
        "older": f"{here}?{urlencode({**query, 'before': page.older_than})}" if page.older_than else "",
    }
    return render(
        request, "migration_runs/log.html", context(request, run, tab="run", page_title="Log", **shown)
    )


@require_GET
@for_readers
def log_download(request: HttpRequest, run_id: int) -> HttpResponse:
    """The lines that fit as text, streamed: a million lines do not sit in memory."""
    run = Run.objects.get(pk=run_id)
    wanted = _wanted(request)

    def lines() -> Iterator[str]:
        for row in wanted.lines(run_id).order_by("id").iterator(chunk_size=2000):
            place = ".".join(str(part) for part in (row.phase, row.step) if part)
            yield f"{row.at:%Y-%m-%dT%H:%M:%S.%fZ} {row.level:5} {place or '-'} {row.text}\n"

    response = StreamingHttpResponse(lines(), content_type="text/plain; charset=utf-8")
    part = "-filtered" if wanted.narrows else ""
    response["Content-Disposition"] = f'attachment; filename="{run.name}{part}.log"'
    return cast(HttpResponse, response)


def _wanted(request: HttpRequest) -> LogFilter:
    """What is asked for; PostgreSQL has no text with a NUL in it."""
    text = request.GET.get("text", "").replace("\0", "").strip()
    return LogFilter(warnings=request.GET.get("level") == WARNINGS, text=text)


def _before(request: HttpRequest) -> int | None:
    """A number that leads nowhere is as none: the newest lines are shown."""
    asked = request.GET.get("before", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= MOST_DIGITS else None
