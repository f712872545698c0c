"""Ticks of the readiness checklist."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class ReadinessTick(models.Model):
    """A named person says, with evidence, that an item of the readiness checklist is so.

    Append-only, but that it can be taken back once: who did, when and why stays beside it.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="ticks")
    item = models.CharField(max_length=41)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    evidence = models.TextField(blank=True, default="")
    void_at = models.DateTimeField(null=True, blank=True)
    void_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    void_reason = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["run_id", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "item"], condition=models.Q(void_at=None), name="ticked_once"
            )
        ]
        triggers: ClassVar = [*guards.append_only("void_at", "void_by_id", "void_reason")]

    def __str__(self) -> str:
        return f"{self.item} of run {self.run_id}"
