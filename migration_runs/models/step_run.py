"""The steps of a phase, as the worker reports them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from migration_runs.models.phase_run import PhaseRun
from migration_runs.states import StepState


class StepRun(models.Model):
    """What is known of one step: its state, its live progress and its result.

    ``done`` of ``total`` ``unit``s; ``note`` says why it is slow, and ``note_since`` since when for that
    reason. ``points`` is how ``done`` came about (``services.pace``), ``figures`` what a copy tells beside it
    (``engine.outcome.CopyFigures`` as JSON).
    """

    phase = models.ForeignKey(PhaseRun, on_delete=models.PROTECT, related_name="steps")
    position = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=41)
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=300)
    state = models.CharField(
        max_length=20, choices=[(s.value, s.value) for s in StepState], default=StepState.PENDING.value
    )
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    unit = models.CharField(max_length=40, blank=True, default="")
    note = models.TextField(blank=True, default="")
    note_since = models.DateTimeField(null=True, blank=True)
    points = models.JSONField(default=list, blank=True)
    figures = models.JSONField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["phase_id", "position"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["phase", "key"], name="one_row_per_step")]

    def __str__(self) -> str:
        return f"step {self.key} of phase {self.phase_id}"
