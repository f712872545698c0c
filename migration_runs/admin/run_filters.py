"""Filters of the list of runs, in words."""

# Django prescribes the signatures.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from migration_runs.models import Run
from migration_runs.states import RUN_FINAL, RunState
from migration_runs.templatetags.phasegate import word

Chosen = Callable[[User], Q]

STANDING: dict[str, tuple[str, Chosen]] = {
    "open": ("Not over", lambda _: ~Q(state__in=[*RUN_FINAL, RunState.COMPLETED])),
    "going": (
        "Under way",
        lambda _: Q(state__in=[RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.ROLLING_BACK]),
    ),
    "trouble": (
        "In trouble: held, failed or rolled back",
        lambda _: (
            Q(state__in=[RunState.ON_HOLD, RunState.ROLLING_BACK])
            | Q(phases__state__in=["failed", "undo_failed"])
        ),
    ),
    "over": ("Over", lambda _: Q(state__in=[*RUN_FINAL, RunState.COMPLETED])),
}
MINE: dict[str, tuple[str, Chosen]] = {
    "named": ("I am named in", lambda person: Q(assignments__person=person)),
    "author": ("I wrote", lambda person: Q(author=person)),
}


class _InWords(admin.SimpleListFilter):
    """A filter whose choices are named conditions."""

    choices_in_words: dict[str, tuple[str, Chosen]]

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Every choice with its words."""
        return [(key, words) for key, (words, _) in self.choices_in_words.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        """Runs that fit the choice; all of them without one."""
        chosen = self.choices_in_words.get(self.value() or "")
        if chosen is None:
            return queryset
        assert isinstance(request.user, User)
        return queryset.filter(pk__in=Run.objects.filter(chosen[1](request.user)).values("pk"))


class StandingFilter(_InWords):
    """Where runs stand, from afar."""

    title = "standing"
    parameter_name = "standing"
    choices_in_words = STANDING


class MineFilter(_InWords):
    """Runs that the person who looks has to do with."""

    title = "my part"
    parameter_name = "whose"
    choices_in_words = MINE


class StateFilter(admin.SimpleListFilter):
    """The exact state, in words."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Every state in the order in which a run goes through them."""
        return [(state.value, word(state.value)) for state in RunState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        """Runs in the chosen state."""
        return queryset.filter(state=self.value()) if self.value() else queryset


class RunbookFilter(admin.AllValuesFieldListFilter):
    """By runbook."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "runbook"
