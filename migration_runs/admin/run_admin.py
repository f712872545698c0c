"""Runs in the admin: the list, and the addresses of each run's pages. No row is edited or deleted here."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from migration_runs.admin import (
    acting,
    audit_pages,
    document_pages,
    handover_pages,
    log_pages,
    monitoring_pages,
    pages,
    readiness_pages,
    review_page,
    start_pages,
    style_page,
)
from migration_runs.admin.acting import may_write
from migration_runs.admin.records import ReadOnlyAdmin
from migration_runs.admin.run_filters import MineFilter, RunbookFilter, StandingFilter, StateFilter
from migration_runs.models import Run
from migration_runs.selectors.run_views import RunRow
from migration_runs.selectors.runs_list import run_rows
from migration_runs.templatetags import phasegate

NUMBER = re.compile(r"(?:[a-z][a-z0-9_]*-)?(\d{1,9})")


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """All runs with their state and progress; each opens its run page."""

    list_display = ("run_name", "state_badge", "phase", "progress", "target", "author", "started", "digest")
    list_filter = (StandingFilter, MineFilter, StateFilter, "target", ("slug", RunbookFilter))
    search_fields = ("slug", "target", "author__username", "hold_reason")
    search_help_text = "Runbook, number, target, author or reason of a hold; for example dxy_1m or 12."
    list_select_related = ("author",)
    list_per_page = 25
    change_list_template = "migration_runs/run_list.html"
    ordering = ("-id",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Runs are made on a page of their own, by those who write plans."""
        return may_write(request.user)

    def get_urls(self) -> list[URLPattern]:
        """The pages of a run beside the admin's own list."""

        def at(route: str, view: Any, name: str) -> URLPattern:
            address: URLPattern = path(
                route, self.admin_site.admin_view(view), name=f"migration_runs_run_{name}"
            )
            return address

        return [
            at("start/live/", start_pages.start_live, "start_live"),
            at("style/", style_page.style_page, "style"),
            at("add/", acting.new_run, "add"),
            at("<int:run_id>/change/", pages.run_page, "change"),
            at("<int:run_id>/live/", pages.run_live, "live"),
            at("<int:run_id>/plan/", review_page.plan_page, "plan"),
            at("<int:run_id>/monitoring/", monitoring_pages.monitoring_page, "monitoring"),
            at("<int:run_id>/monitoring/live/", monitoring_pages.monitoring_live, "monitoring_live"),
            at("<int:run_id>/readiness/", readiness_pages.readiness_page, "readiness"),
            at("<int:run_id>/documents/", document_pages.document_list, "documents"),
            at("<int:run_id>/documents/lesson/", document_pages.write_lesson, "lesson"),
            at("<int:run_id>/documents/<slug:key>/", document_pages.document_page, "document"),
            at("<int:run_id>/documents/<slug:key>.md", document_pages.document_markdown, "document_markdown"),
            at("<int:run_id>/audit/", audit_pages.run_trail, "audit"),
            at("<int:run_id>/log/", log_pages.log_download, "log"),
            at("<int:run_id>/log/lines/", log_pages.log_page, "log_lines"),
            at("<int:run_id>/rollback/", acting.rollback_page, "rollback"),
            at("<int:run_id>/act/<slug:verb_name>/", acting.act, "act"),
            at("<int:run_id>/confirm/<int:number>/<slug:step>/", acting.confirm, "confirm"),
            at("<int:run_id>/tick/<slug:item>/", acting.tick, "tick"),
            at("<int:run_id>/untick/<slug:item>/", readiness_pages.untick, "untick"),
            at("<int:run_id>/handover/", handover_pages.handover_page, "handover"),
            at("<int:run_id>/handover/<slug:asked>/", handover_pages.handover_act, "handover_act"),
            *super().get_urls()[:1],
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Runs with what their rows show."""
        queryset: QuerySet[Run] = super().get_queryset(request).select_related("author")
        return queryset

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        """As Django does it, and by number, also as a run is called: ``12`` or ``dxy_1m-12``."""
        found, distinct = super().get_search_results(request, queryset, search_term)
        number = NUMBER.fullmatch(search_term.strip())
        return (found | queryset.filter(pk=int(number[1])), distinct) if number else (found, distinct)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; progress of all its rows comes from three queries."""
        shown = {"title": "Runs", "may_write": may_write(request.user)} | (extra_context or {})
        response = super().changelist_view(request, shown)
        changelist = getattr(response, "context_data", {}).get("cl")
        if changelist is not None:
            rows = run_rows(list(changelist.result_list))
            for run in changelist.result_list:
                run.row = rows[run.pk]
        return response

    @admin.display(description="Run", ordering="id")
    def run_name(self, run: Run) -> str:
        """Runbook and number."""
        return run.name

    @admin.display(description="State", ordering="state")
    def state_badge(self, run: Run) -> SafeString:
        """State by icon and word."""
        return phasegate.badge(run.state)

    @admin.display(description="Phase")
    def phase(self, run: Run) -> SafeString:
        """The phase in front and its state."""
        row = _row(run)
        if row is None or row.phase_number is None:
            return phasegate.NOTHING
        where = f"{row.phase_number} {row.phase_title}"
        if not row.trouble:
            return phasegate.inline_state(row.phase_state, where)
        return format_html(
            "{}<small>{}</small>",
            phasegate.inline_state(row.phase_state, where),
            phasegate.inline_state("worker_lost", row.trouble),
        )

    @admin.display(description="Progress")
    def progress(self, run: Run) -> SafeString:
        """Phases done, and how far the running step is."""
        row = _row(run)
        if row is None:
            return phasegate.NOTHING
        done = f"{row.phases_done} of 9 phases"
        if row.total:
            done += f", {phasegate.number(row.done)} of {phasegate.number(row.total)} {row.unit}"
            done += " as last told" if row.trouble else ""
        return format_html(
            '<progress class="pg-progress" max="9" value="{}" aria-label="{}"></progress><small>{}</small>',
            row.phases_done,
            done,
            done,
        )

    @admin.display(description="Started", ordering="started_at")
    def started(self, run: Run) -> SafeString:
        """When it was started, in UTC."""
        return phasegate.utc(run.started_at)

    @admin.display(description="Plan")
    def digest(self, run: Run) -> SafeString:
        """The digest's first digits."""
        return format_html('<span class="pg-digest">{}</span>', phasegate.short(run.plan_id))


def _row(run: Run) -> RunRow | None:
    return getattr(run, "row", None)
