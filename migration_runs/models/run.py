"""Runs."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django_fsm import transition

from migration_runs.models import guards
from migration_runs.models.machine import ProtectedState, moves, state_field
from migration_runs.models.stored_plan import StoredPlan
from migration_runs.states import RUN_ACTIVE, RUN_TRANSITIONS, RunState


def _move(verb: str) -> dict[str, Any]:
    return moves(RUN_TRANSITIONS, verb)


class Run(ProtectedState):
    """One migration: a plan on its way through the nine phases on one target.

    ``source_table`` and ``target_table`` repeat the plan's move, so that the database itself refuses a second
    active run on the same table. ``token`` is the highest fencing token given out for the run, by
    whatever phase; ``switched_at`` the market time at which the observed switch was proven.
    ``ledger_gone_at`` is when a worker took a sealed run's ledger off the target; None while it may be there.
    """

    class HoldKind(models.TextChoices):
        """Who or what put the run on hold."""

        PERSON = "person"
        CHECK = "check"
        VOID = "void"
        ERROR = "error"
        LOAD = "load"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.CharField(max_length=41)
    plan = models.ForeignKey(StoredPlan, on_delete=models.PROTECT, related_name="runs")
    target = models.CharField(max_length=63)
    source_table = models.CharField(max_length=200)
    target_table = models.CharField(max_length=200)
    data_decision = models.CharField(max_length=6, choices=[("keep", "keep"), ("delete", "delete")])
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs_written"
    )
    state = state_field(RunState, default=RunState.DRAFT)
    token = models.BigIntegerField(default=0)
    planned_start = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    submitted_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    seal_after = models.DateTimeField(null=True, blank=True)
    hold_kind = models.CharField(max_length=6, choices=HoldKind.choices, blank=True, default="")
    hold_reason = models.TextField(blank=True, default="")
    held_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    held_at = models.DateTimeField(null=True, blank=True)
    rollback_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    rollback_at = models.DateTimeField(null=True, blank=True)
    switched_at = models.DateTimeField(null=True, blank=True)
    ledger_gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["target", "target_table"],
                condition=models.Q(state__in=sorted(map(str, RUN_ACTIVE))),
                name="one_active_run_per_target_table",
            ),
            models.UniqueConstraint(
                fields=["target", "source_table"],
                condition=models.Q(state__in=sorted(map(str, RUN_ACTIVE))),
                name="one_active_run_per_source_table",
            ),
        ]
        triggers: ClassVar = [
            guards.state_guard(RUN_TRANSITIONS, initial=RunState.DRAFT),
            guards.fixed_columns("id", "uid", "author_id", "created_at", "slug"),
            guards.fixed_columns(
                "plan_id",
                "target",
                "source_table",
                "target_table",
                "data_decision",
                while_state=RunState.DRAFT,
            ),
            *guards.no_delete(),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What people call it and type to roll it back: runbook and number."""
        return f"{self.slug}-{self.pk}"

    @property
    def run_state(self) -> RunState:
        """The state as the enum."""
        return RunState(self.state)

    @transition(field=state, **_move("submit"))
    def submit(self) -> None:
        """The author freezes the plan and asks for signatures."""

    @transition(field=state, **_move("send_back"))
    def send_back(self) -> None:
        """An approver refuses, or the author withdraws."""

    @transition(field=state, **_move("approve"))
    def approve(self) -> None:
        """The last required approval was given."""

    @transition(field=state, **_move("void_approval"))
    def void_approval(self) -> None:
        """An approval became void before the start."""

    @transition(field=state, **_move("start"))
    def start(self) -> None:
        """The dba starts phase 1."""

    @transition(field=state, **_move("hold"))
    def hold(self) -> None:
        """A person, a check or a void signature holds it."""

    @transition(field=state, **_move("resume"))
    def resume(self) -> None:
        """A person says that the cause of the hold is gone."""

    @transition(field=state, **_move("complete"))
    def complete(self) -> None:
        """Phase 9 was signed."""

    @transition(field=state, **_move("seal"))
    def seal(self) -> None:
        """The retention has passed; rollback ends."""

    @transition(field=state, **_move("cancel"))
    def cancel(self) -> None:
        """Given up before anything changed."""

    @transition(field=state, **_move("roll_back"))
    def roll_back(self) -> None:
        """A person asked to undo what was applied."""

    @transition(field=state, **_move("finish_rollback"))
    def finish_rollback(self) -> None:
        """Every applied phase was undone."""
