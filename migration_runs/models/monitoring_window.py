"""Monitoring windows."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class MonitoringWindow(models.Model):
    """One attempt at an uninterrupted window of checks.

    It ends whole, or because something broke it: ``end_reason``.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="windows")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    due_count = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["run_id", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_row_per_window"),
            models.UniqueConstraint(
                fields=["run"], condition=models.Q(ended_at=None), name="one_open_window_per_run"
            ),
        ]
        triggers: ClassVar = [
            guards.fixed_columns("id", "run_id", "number", "started_at"),
            *guards.no_delete(),
        ]

    def __str__(self) -> str:
        return f"window {self.number} of run {self.run_id}"
