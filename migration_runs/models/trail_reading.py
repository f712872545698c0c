"""What was found when the whole audit trail was last read."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class TrailReading(models.Model):
    """The last reading of the whole trail by a worker: one row, written again by each reading.

    ``begun_at`` is when a worker last began to read, ``at`` when the last finished reading ended. ``events``
    is how far the chain was whole then. ``whole_head`` is the last event of the newest reading that found
    nothing, as ``SEQ:HASH``: the next reading must still find it, else the end was cut off meanwhile.
    ``broken_at`` and ``why`` are of the last finished reading; None and empty when the chain was whole.
    """

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    begun_at = models.DateTimeField(null=True)
    at = models.DateTimeField(null=True)
    events = models.BigIntegerField(default=0)
    whole_head = models.CharField(max_length=90, default="", blank=True)
    broken_at = models.BigIntegerField(null=True)
    why = models.TextField(default="", blank=True)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="one_trail_reading")]

    def __str__(self) -> str:
        return f"the trail as read at {self.at}"
