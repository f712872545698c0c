"""Reports of the live verification."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class VerificationReport(models.Model):
    """What one comparison of source and target found. Append-only.

    ``full`` is a pass over every bucket, ``touched`` a look at what was touched since the last. The figures
    are those of ``engine.outcome.Verification``, the rules those of ``RuleFound``; ``clean`` is about both.
    ``tail`` is the place up to which the end was seen to be equal by a look.
    """

    class Kind(models.TextChoices):
        """What was compared."""

        FULL = "full"
        TOUCHED = "touched"

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="verifications")
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.FULL)
    number = models.PositiveIntegerField(null=True, blank=True)
    """Of the pass; None for a look."""
    started_at = models.DateTimeField(default=timezone.now)
    at = models.DateTimeField(default=timezone.now)
    source_rows = models.BigIntegerField()
    target_rows = models.BigIntegerField()
    missing = models.BigIntegerField()
    extra = models.BigIntegerField()
    different = models.BigIntegerField()
    pending = models.BigIntegerField()
    overdue = models.BigIntegerField(default=0)
    pending_s = models.FloatField(default=0.0)
    vanished = models.BigIntegerField(default=0)
    buckets = models.PositiveIntegerField(default=0)
    digests = models.BooleanField(default=False)
    rules = models.JSONField(default=list)
    tail = models.TextField(blank=True, default="")
    # Hides Model.clean(): no form ever validates a report.
    clean = models.BooleanField()  # type: ignore[assignment]
    lowest = models.TextField(null=True, blank=True)  # noqa: DJ001  (None: there was no row)
    highest = models.TextField(null=True, blank=True)  # noqa: DJ001
    seconds = models.FloatField()
    columns = models.JSONField(default=list)
    examples = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["run_id", "id"]
        indexes: ClassVar = [
            models.Index(fields=["run", "-id"], name="verification_latest"),
            models.Index(fields=["run", "kind", "-id"], name="verification_latest_of_kind"),
        ]
        triggers: ClassVar = [*guards.append_only()]

    def __str__(self) -> str:
        return f"verification {self.pk} of run {self.run_id}"
