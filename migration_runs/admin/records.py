"""Signatures and plans in the admin: for reading alone."""

# Django prescribes the signatures; the answer is no whoever asks.
# ruff: noqa: ARG002

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from migration_runs.models import SignOff, StoredPlan
from migration_runs.phases import PHASES
from migration_runs.selectors import gates
from migration_runs.services import gates as gate_rules
from migration_runs.templatetags import phasegate


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Nothing can be added, changed or deleted here, by nobody; bulk actions are off."""

    actions = None
    list_per_page = 100
    show_full_result_count = False
    heading = ""
    """What the list is called; empty: as Django calls it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list under its heading."""
        shown = {"title": self.heading, "heading": self.heading} if self.heading else {}
        return super().changelist_view(request, shown | (extra_context or {}))


def _link_to(run: Any) -> SafeString:
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:migration_runs_run_change", args=[run.pk]), run.name
    )


class GateFilter(admin.SimpleListFilter):
    """By gate, in the words of the column."""

    title = "gate"
    parameter_name = "gate"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Every gate that there can be, in the order of a run."""
        closing = [gate_rules.phase_gate(phase.number) for phase in PHASES]
        starting = [gate_rules.start_gate(phase.number) for phase in PHASES if phase.start_sign_off]
        found = sorted(
            (*closing, *starting), key=lambda gate: (gate_rules.phase_of(gate) or 0, gate in closing)
        )
        return [(gate, gates.label_of(gate)) for gate in (gate_rules.PLAN, *found)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Signatures of the chosen gate."""
        return queryset.filter(gate=self.value()) if self.value() else queryset


@admin.register(SignOff)
class SignOffAdmin(ReadOnlyAdmin):
    """Every signature and refusal."""

    heading = "Signatures"
    list_display = ("given", "gate_label", "role", "person", "run_link", "when", "void_since")
    list_display_links = ("given",)
    list_filter = (GateFilter, "role", "approved")
    ordering = ("-at",)
    list_select_related = ("run", "person")
    fields = (
        "given", "gate_label", "role", "person", "run_link", "when", "expires", "comment", "plan_digest",
        "schema_digest", "void_since", "void_reason",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="Given", ordering="approved")
    def given(self, row: SignOff) -> SafeString:
        """Signed, refused, or void."""
        if not row.approved:
            return phasegate.badge("refused")
        return phasegate.badge("given" if row.void_at is None else "void")

    @admin.display(description="Gate", ordering="gate")
    def gate_label(self, row: SignOff) -> str:
        """The gate in words."""
        return gates.label_of(row.gate)

    @admin.display(description="Run", ordering="run")
    def run_link(self, row: SignOff) -> SafeString:
        """The run's page."""
        return _link_to(row.run)

    @admin.display(description="When", ordering="at")
    def when(self, row: SignOff) -> SafeString:
        """When it was given, in UTC."""
        return phasegate.utc(row.at)

    @admin.display(description="Expires")
    def expires(self, row: SignOff) -> SafeString:
        """Until when it counts, in UTC, if it expires."""
        return phasegate.utc(row.expires_at)

    @admin.display(description="Void since", ordering="void_at")
    def void_since(self, row: SignOff) -> SafeString:
        """Since when a signature counts no more, in UTC; a refusal never counted."""
        return phasegate.utc(row.void_at if row.approved else None)


@admin.register(StoredPlan)
class StoredPlanAdmin(ReadOnlyAdmin):
    """Plans as they were frozen."""

    heading = "Plans"
    list_display = ("short_digest", "slug", "runs", "author", "written")
    list_filter = ("slug",)
    list_select_related = ("created_by",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Plans with the runs that have them."""
        return super().get_queryset(request).prefetch_related("runs")

    @admin.display(description="Digest", ordering="digest")
    def short_digest(self, row: StoredPlan) -> SafeString:
        """The digest as every page shows it; the whole one is on the plan's own page."""
        return format_html('<span class="pg-digest">{}</span>', phasegate.short(row.digest))

    @admin.display(description="Runs")
    def runs(self, row: StoredPlan) -> SafeString:
        """The runs that have this plan."""
        links = format_html_join(", ", "{}", ((_link_to(run),) for run in row.runs.all()))
        return links or phasegate.NOTHING

    @admin.display(description="Written by", ordering="created_by__username")
    def author(self, row: StoredPlan) -> str:
        """The account."""
        return str(row.created_by.get_username())

    @admin.display(description="Written", ordering="created_at")
    def written(self, row: StoredPlan) -> SafeString:
        """When it was frozen, in UTC."""
        return phasegate.utc(row.created_at)
