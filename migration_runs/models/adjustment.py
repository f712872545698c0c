"""Changes of the copy's settings during a run."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class Adjustment(models.Model):
    """A named person moved one of the copy's values inside its signed bounds. Append-only; the newest
    counts.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="adjustments")
    name = models.CharField(max_length=41)
    value = models.FloatField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    comment = models.TextField()

    class Meta:
        ordering: ClassVar = ["run_id", "id"]
        triggers: ClassVar = [*guards.append_only()]

    def __str__(self) -> str:
        return f"{self.name} of run {self.run_id}"
