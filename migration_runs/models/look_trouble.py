"""Why the live verification's looks at what was touched cannot be made."""

from __future__ import annotations

from django.db import models

from migration_runs.models.run import Run


class LookTrouble(models.Model):
    """What is in the way of a run's looks, outside any full pass: a pass keeps its own trouble.

    ``reason`` is empty when the last look was made. ``since`` is when the first look in a row failed,
    ``tried_at`` when the last one did; ``kept`` says what stands, ``next_step`` what to do.
    """

    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="look_trouble")
    reason = models.TextField(blank=True, default="")
    kept = models.TextField(blank=True, default="")
    next_step = models.TextField(blank=True, default="")
    since = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"looks of run {self.run_id}: {self.reason or 'nothing in the way'}"
