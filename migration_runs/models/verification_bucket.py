"""Buckets of the live verification: what was last seen in each range of a run's move."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from migration_runs.models import guards
from migration_runs.models.run import Run
from migration_runs.models.verification_pass import VerificationPass


class VerificationBucket(models.Model):
    """The range ``(lo, hi]`` of a run's move, in the move's order; empty ends are open.

    A run's buckets adjoin and together hold every row. ``lo`` and ``hi`` are bounds as ``engine.move.chunks``
    encodes them. ``rows`` is empty until it was compared, or when it has grown too large: it is then cut
    before it is compared. ``found`` holds what the pass ``seen_in`` found: an
    ``engine.outcome.Verification``,
    and what its rules showed. ``digest`` is the evidence of the last pass that was asked for it and found
    both sides equal.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="verification_buckets")
    lo = models.TextField(blank=True, default="")
    hi = models.TextField(blank=True, default="")
    rows = models.BigIntegerField(null=True, blank=True)
    seconds = models.FloatField(default=0.0)
    seen_in = models.ForeignKey(
        VerificationPass, on_delete=models.PROTECT, related_name="buckets", null=True, blank=True
    )
    seen_at = models.DateTimeField(null=True, blank=True)
    # Hides Model.clean(): no form ever validates a bucket.
    clean = models.BooleanField(null=True, blank=True)  # type: ignore[assignment]
    found = models.JSONField(default=dict)
    digest = models.TextField(blank=True, default="")
    digest_rows = models.BigIntegerField(null=True, blank=True)
    digest_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["run_id", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "lo"], name="one_verification_bucket_per_beginning"),
        ]
        triggers: ClassVar = [guards.fixed_columns("id", "run_id", "lo"), *guards.no_delete()]

    def __str__(self) -> str:
        return f"bucket {self.pk} of run {self.run_id}"
