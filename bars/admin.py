"""Read-only pages of the bars tables of target ``bars``: every staff member may look, nobody may write."""

# Django prescribes the signatures; a page that everyone reads alike needs few of their arguments.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import DatabaseError, connections, models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from bars.models import AggregationTask, DataBar, DerivedBar, ReadOnlyModel, RegistryAsset

if TYPE_CHECKING:
    # Django's classes take type parameters for the type checker alone.
    _Paginator = Paginator[Any]
    _ModelAdmin = admin.ModelAdmin[ReadOnlyModel]
else:
    _Paginator = Paginator
    _ModelAdmin = admin.ModelAdmin


class EstimatingPaginator(_Paginator):
    """Counts an unfiltered big table from the catalog's estimate, where counting would read all of it."""

    _EXACT_BELOW = 100_000

    @cached_property
    def count(self) -> int:
        """Return the number of rows; the planner's estimate for a whole table above 100,000 rows."""
        queryset = self.object_list
        if isinstance(queryset, models.QuerySet) and not queryset.query.where:
            with connections[queryset.db].cursor() as cursor:
                cursor.execute(
                    "SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = to_regclass(%s)",
                    [queryset.model._meta.db_table],
                )
                row = cursor.fetchone()
            if row and row[0] >= self._EXACT_BELOW:
                return int(row[0])
        return super().count


class ReadOnlyAdmin(_ModelAdmin):
    """Lists and shows rows of the target. When the target cannot be read it says so instead of failing."""

    actions = None
    show_full_result_count = False
    paginator = EstimatingPaginator
    list_per_page = 50

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Staff may look."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff may look: market data is no secret among the people of a run."""
        return bool(request.user.is_active and request.user.is_staff)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list, or the start page with the reason where the target cannot be read."""
        return self._or_reason(
            request, lambda: super(ReadOnlyAdmin, self).changelist_view(request, extra_context)
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one row, or the start page with the reason where the target cannot be read."""
        return self._or_reason(
            request,
            lambda: super(ReadOnlyAdmin, self).change_view(request, object_id, form_url, extra_context),
        )

    def _or_reason(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            response = view()
            # rendered here, since the rows are fetched while the template runs
            return response.render() if isinstance(response, TemplateResponse) else response
        except DatabaseError as error:
            first_line = str(error).strip().partition("\n")[0]
            messages.error(request, f"The target's tables cannot be read now: {first_line}")
            return HttpResponseRedirect(reverse("admin:index"))


# Filters have fixed choices: the distinct values of a big table would have to be read from all of it.
class SymbolFilter(admin.SimpleListFilter):
    """By symbol, from the registry."""

    title = "symbol"
    parameter_name = "symbol"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Return the registry's symbols."""
        names = RegistryAsset.objects.order_by("canonical_symbol").values_list("canonical_symbol", flat=True)
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """Keep the chosen symbol."""
        return queryset.filter(canonical_symbol=self.value()) if self.value() else queryset


class TimeframeFilter(admin.SimpleListFilter):
    """By timeframe."""

    title = "timeframe"
    parameter_name = "timeframe"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Return the timeframes that exist."""
        return [(name, name) for name in ("1m", "5m", "1h", "2h", "4h")]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """Keep the chosen timeframe."""
        return queryset.filter(timeframe=self.value()) if self.value() else queryset


class WithdrawnFilter(admin.SimpleListFilter):
    """Active rows, or withdrawn ones."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Return the two states."""
        return [("active", "active"), ("withdrawn", "withdrawn (soft-deleted)")]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """Keep rows in the chosen state."""
        if self.value() is None:
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() == "active")


@admin.register(DataBar)
class DataBarAdmin(ReadOnlyAdmin):
    """Bars of ``data_bars``, newest row first."""

    list_display = (
        "ts_utc",
        "canonical_symbol",
        "timeframe",
        "open",
        "high",
        "low",
        "close",
        "source",
        "ingested_at",
    )
    list_filter = (SymbolFilter, TimeframeFilter)
    ordering = ("-id",)


@admin.register(DerivedBar)
class DerivedBarAdmin(ReadOnlyAdmin):
    """Bars of ``derived_data_bars``, newest row first."""

    list_display = (
        "ts_utc", "canonical_symbol", "timeframe", "open", "high", "low", "close",
        "quality_score", "source_candles", "derivation_version", "deleted_at",
    )  # fmt: skip
    list_filter = (SymbolFilter, TimeframeFilter, WithdrawnFilter)
    ordering = ("-id",)


@admin.register(RegistryAsset)
class RegistryAssetAdmin(ReadOnlyAdmin):
    """Symbols of the registry, each with its aggregation tasks: the admin cannot list a composite key."""

    list_display = ("canonical_symbol", "asset_class", "provider_ticker", "active", "test_active")
    ordering = ("canonical_symbol",)
    readonly_fields = ("aggregation",)

    @admin.display(description="aggregation tasks")
    def aggregation(self, asset: RegistryAsset) -> SafeString:
        """Return the state of each aggregation task of the symbol as a table."""
        tasks = AggregationTask.objects.filter(canonical_symbol=asset.canonical_symbol).order_by(
            "run_interval_minutes"
        )
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (
                    task.timeframe,
                    task.source_timeframe,
                    task.status,
                    _moment(task.last_agg_bar_ts_utc),
                    task.last_error or "",
                )
                for task in tasks
            ),
        )
        return format_html(
            '<table><thead><tr><th scope="col">Makes</th><th scope="col">From</th><th scope="col">State</th>'
            '<th scope="col">Next window (UTC)</th><th scope="col">Last error</th></tr></thead>'
            "<tbody>{}</tbody></table>",
            rows,
        )


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else "not started"
