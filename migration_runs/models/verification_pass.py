"""Passes of the live verification over all buckets of a run."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class VerificationPass(models.Model):
    """One round over every bucket. While ``finished_at`` is empty, any worker may go on with what is left.

    ``rows_expected`` is an estimate from before, for progress alone. ``worker`` took the pass up last, at
    ``taken_at``, when ``rows_before`` rows had been compared; empty until the target answered. ``trouble``
    says why the pass could not go on when it was last tried, ``kept`` what stands and ``next_step`` what to
    do; empty when nothing was in the way.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="verification_passes")
    number = models.PositiveIntegerField()
    digests = models.BooleanField(default=False)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    buckets_done = models.PositiveIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    rows_expected = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    worker = models.CharField(max_length=200, blank=True, default="")
    taken_at = models.DateTimeField(null=True, blank=True)
    rows_before = models.BigIntegerField(default=0)
    trouble = models.TextField(blank=True, default="")
    kept = models.TextField(blank=True, default="")
    next_step = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["run_id", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_verification_pass_per_number"),
            models.UniqueConstraint(
                fields=["run"], condition=models.Q(finished_at=None), name="one_open_verification_pass"
            ),
        ]
        triggers: ClassVar = [
            guards.fixed_columns("id", "run_id", "number", "digests", "started_at"),
            *guards.no_delete(),
        ]

    def __str__(self) -> str:
        return f"verification pass {self.number} of run {self.run_id}"
