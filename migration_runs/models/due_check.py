"""Checks that are due."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from migration_runs.models import guards
from migration_runs.models.monitoring_window import MonitoringWindow


class DueCheck(models.Model):
    """One check of one round of a window, made when the window starts, so that one that never ran is seen.

    ``round`` counts from 1. Past ``late_after`` without a result it is missed, which counts as failed.
    ``shown`` is a second number that the check's query gave, which judges nothing.
    """

    class State(models.TextChoices):
        """Where it stands."""

        PENDING = "pending"
        RUNNING = "running"
        DONE = "done"
        MISSED = "missed"
        DROPPED = "dropped"  # its window was followed by a fresh one, or the phase ended

    window = models.ForeignKey(MonitoringWindow, on_delete=models.PROTECT, related_name="checks")
    check_key = models.CharField(max_length=41)
    round = models.PositiveIntegerField()
    due_at = models.DateTimeField()
    late_after = models.DateTimeField()
    state = models.CharField(max_length=7, choices=State.choices, default=State.PENDING)
    verdict = models.CharField(
        max_length=6, choices=[(v, v) for v in ("pass", "warn", "fail", "closed")], blank=True, default=""
    )
    value = models.FloatField(null=True, blank=True)
    shown = models.FloatField(null=True, blank=True)
    detail = models.TextField(blank=True, default="")
    bound = models.TextField(blank=True, default="")
    market_open = models.BooleanField(null=True, blank=True)
    market_now = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["window_id", "round", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["window", "check_key", "round"], name="one_row_per_due_check"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"], condition=models.Q(state__in=["pending", "running"]), name="due_check_open"
            ),
        ]
        triggers: ClassVar = [
            guards.fixed_columns("id", "window_id", "check_key", "round", "due_at", "late_after"),
            *guards.no_delete(),
        ]

    def __str__(self) -> str:
        return f"{self.check_key}, round {self.round}"
