"""Lessons learned from a run."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class Lesson(models.Model):
    """What a named person learned from a run, for the one who plans the next. Append-only."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="lessons")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    text = models.TextField()

    class Meta:
        ordering: ClassVar = ["run_id", "id"]
        triggers: ClassVar = [*guards.append_only()]

    def __str__(self) -> str:
        return f"lesson of run {self.run_id}"
