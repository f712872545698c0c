"""The log of a run."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class LogLine(models.Model):
    """One line for people, written by a worker. ``phase`` and ``step`` say where. Append-only."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="log_lines")
    phase = models.PositiveSmallIntegerField(null=True, blank=True)
    step = models.CharField(max_length=41, blank=True, default="")
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=5, choices=[("info", "info"), ("warn", "warn"), ("error", "error")])
    text = models.TextField()

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["run", "id"], name="log_line_run")]
        triggers: ClassVar = [*guards.append_only()]

    def __str__(self) -> str:
        return self.text
