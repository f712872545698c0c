"""Reading the whole audit trail once an hour, and keeping what was found, so that pages need not read it.

The result lies beside the trail, so it proves nothing against who owns the control database: for that a head
is kept outside (``manage.py audit head``). It shows soon, and to everybody, what ``manage.py audit verify``
would say.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Now

from migration_runs.models import TrailReading
from migration_runs.services import audit, clock

logger = logging.getLogger(__name__)

PERIOD = timedelta(hours=1)
"""From the beginning of one reading to the next."""

PATIENCE = timedelta(minutes=15)
"""After how long a reading without a result may be begun again: its worker may be gone."""

LATE = 3 * PERIOD
"""After how long without a result nobody may be reading any more."""


@dataclass(frozen=True)
class Reading:
    """What the last finished reading found, and the control database's time now.

    ``at`` is None before the first one; ``events`` is how far the chain was whole.
    """

    at: datetime | None
    now: datetime
    events: int = 0
    broken_at: int | None = None
    why: str = ""

    @property
    def late(self) -> bool:
        """The result is too old to say much about today."""
        return self.at is not None and self.now - self.at > LATE


def last() -> Reading:
    """The last finished reading. One query."""
    row = TrailReading.objects.annotate(now=Now()).first()
    if row is None:
        return Reading(at=None, now=clock.database_now())
    return Reading(at=row.at, now=row.now, events=row.events, broken_at=row.broken_at, why=row.why)


def due() -> bool:
    """Whether the trail is to be read now; an empty one says nothing, and waits for its first event."""
    row = TrailReading.objects.annotate(now=Now()).first()
    return audit.head().seq > 0 if row is None else _due(row, row.now)


def read_when_due() -> bool:
    """Read the whole trail unless that is not due or another worker has begun; whether it was read here."""
    if not _claim():
        return False
    found = audit.verify()
    noted = TrailReading.objects.values_list("whole_head", flat=True).get()
    why, broken_at = found.why, found.broken_at
    if found.intact and noted and (cut := audit.cut_off(noted)):
        why, broken_at = cut, min(found.events + 1, int(noted.partition(":")[0]))
    if why:
        logger.error("the audit trail is broken at event %s: %s", broken_at, why)
    told = {"at": Now(), "events": found.events, "broken_at": broken_at, "why": why}
    if not why:
        told["whole_head"] = f"{found.head.seq}:{found.head.hash}"
    TrailReading.objects.update(**told)
    return True


def _claim() -> bool:
    """Take the reading. Of any number of workers one gets it: each replaces the beginning that it saw."""
    TrailReading.objects.bulk_create([TrailReading()], ignore_conflicts=True)
    row = TrailReading.objects.annotate(now=Now()).get()
    if not _due(row, row.now):
        return False
    return bool(TrailReading.objects.filter(begun_at=row.begun_at).update(begun_at=Now()))


def _due(row: TrailReading, now: datetime) -> bool:
    if row.begun_at is None:
        return True
    finished = row.at is not None and row.at >= row.begun_at
    return now - row.begun_at >= (PERIOD if finished else PATIENCE)
