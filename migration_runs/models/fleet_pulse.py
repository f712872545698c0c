"""The workers' sign of life."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


class FleetPulse(models.Model):
    """When a worker last looked for work, whichever it was: one row, written by every sweep."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="one_fleet_pulse")]

    def __str__(self) -> str:
        return f"a worker looked at {self.at}"
