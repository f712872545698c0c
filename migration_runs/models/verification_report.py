"""Reports of the live verification."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.run import Run


class VerificationReport(models.Model):
    """What one comparison of source and target found. Append-only.

    The figures are those of ``engine.outcome.Verification``.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="verifications")
    at = models.DateTimeField(default=timezone.now)
    source_rows = models.BigIntegerField()
    target_rows = models.BigIntegerField()
    missing = models.BigIntegerField()
    extra = models.BigIntegerField()
    different = models.BigIntegerField()
    pending = models.BigIntegerField()
    # Hides Model.clean(): no form ever validates a report.
    clean = models.BooleanField()  # type: ignore[assignment]
    lowest = models.TextField(null=True, blank=True)  # noqa: DJ001  (None: there was no row)
    highest = models.TextField(null=True, blank=True)  # noqa: DJ001
    seconds = models.FloatField()
    columns = models.JSONField(default=list)
    examples = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["run_id", "id"]
        indexes: ClassVar = [models.Index(fields=["run", "-id"], name="verification_latest")]
        triggers: ClassVar = [*guards.append_only()]

    def __str__(self) -> str:
        return f"verification {self.pk} of run {self.run_id}"
