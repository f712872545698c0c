"""What people confirmed."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.phase_run import PhaseRun


class Confirmation(models.Model):
    """A person's word, with evidence, that a ``confirm`` step was done elsewhere. Append-only.

    ``undo``: that it was taken back.
    """

    phase = models.ForeignKey(PhaseRun, on_delete=models.PROTECT, related_name="confirmations")
    step_key = models.CharField(max_length=41)
    undo = models.BooleanField(default=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    evidence = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["phase", "step_key", "undo"], name="confirmed_once"),
        ]
        triggers: ClassVar = [*guards.append_only()]

    def __str__(self) -> str:
        return f"confirmation of {self.step_key} of phase {self.phase_id}"
