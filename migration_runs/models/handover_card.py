"""Shift handovers."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class HandoverCard(models.Model):
    """One watch over a run handed from a person to another, who takes it by saying so.

    ``facts`` is what the panel knew when it was written. Append-only, but for what ends it: it is taken by
    ``taker`` or withdrawn, once. ``starts_at`` and ``ends_at`` are the taker's shift as the giver has it.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="handovers")
    number = models.PositiveIntegerField()
    giver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    taker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    facts = models.JSONField(default=list)
    given_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    withdraw_reason = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["run_id", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_row_per_handover"),
            models.UniqueConstraint(
                fields=["run"],
                condition=models.Q(taken_at=None, withdrawn_at=None),
                name="one_open_handover_per_run",
            ),
            models.CheckConstraint(
                condition=models.Q(taken_at=None) | models.Q(withdrawn_at=None),
                name="handover_taken_or_withdrawn",
            ),
            models.CheckConstraint(
                condition=~models.Q(giver=models.F("taker")), name="handover_to_somebody_else"
            ),
        ]
        triggers: ClassVar = [
            *guards.append_only("taken_at", "withdrawn_at", "withdrawn_by_id", "withdraw_reason")
        ]

    def __str__(self) -> str:
        return f"handover {self.number} of run {self.run_id}"
