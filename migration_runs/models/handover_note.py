"""Notes from shift to shift."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class HandoverNote(models.Model):
    """What a person wants whoever watches next to know. Append-only."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="handover_notes")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    text = models.TextField()

    class Meta:
        ordering: ClassVar = ["run_id", "id"]
        triggers: ClassVar = [*guards.append_only()]

    def __str__(self) -> str:
        return f"note {self.pk} of run {self.run_id}"
