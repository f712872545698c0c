"""Signatures and plans in the admin: for reading alone."""

# Django prescribes the signatures; the answer is no whoever asks.
# ruff: noqa: ARG002

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from migration_runs.models import SignOff, StoredPlan


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Nothing can be added, changed or deleted here, by nobody; bulk actions are off."""

    actions = None
    list_per_page = 100
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(SignOff)
class SignOffAdmin(ReadOnlyAdmin):
    """Every signature and refusal."""

    list_display = ("run", "gate", "role", "person", "approved", "at", "void_at")
    list_filter = ("gate", "role", "approved")
    list_select_related = ("run", "person")


@admin.register(StoredPlan)
class StoredPlanAdmin(ReadOnlyAdmin):
    """Plans as they were frozen."""

    list_display = ("digest", "slug", "created_by", "created_at")
    list_filter = ("slug",)
