"""Whether any worker is there at all: told by every sweep, seen by every lease that is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q
from django.db.models.functions import Now

from migration_runs.models import FleetPulse, PhaseRun
from migration_runs.services import clock, rules


def beat() -> None:
    """A worker is here and looks for work now, by the control database's clock."""
    FleetPulse.objects.bulk_create(
        [FleetPulse(at=Now())], update_conflicts=True, unique_fields=["id"], update_fields=["at"]
    )


@dataclass(frozen=True)
class Signs:
    """When a worker last looked for work and was last heard of at all (None: never), and how many phases
    are held by one, as of ``now``.
    """

    now: datetime
    swept_at: datetime | None
    heard_at: datetime | None
    at_work: int

    @property
    def silence(self) -> str:
        """That no worker has been heard of for too long, in words for people; empty while one has."""
        if self.heard_at is None:
            return "No worker has reported yet."
        silent = self.now - self.heard_at
        return f"No worker has reported for {in_words(silent)}." if silent > rules.silent_after() else ""


def signs() -> Signs:
    """The workers' signs of life: sweeps that were made, leases that are held."""
    last = FleetPulse.objects.values_list("at", flat=True).first()
    now = clock.database_now()
    leases = PhaseRun.objects.exclude(lease_worker="").aggregate(
        until=Max("lease_until"), held=Count("pk", filter=Q(lease_until__gte=now))
    )
    until = leases["until"]
    heard = [at for at in (last, until - rules.lease() if until else None) if at is not None]
    return Signs(now=now, swept_at=last, heard_at=max(heard, default=None), at_work=leases["held"])


def silence() -> str:
    """That no worker has been heard of for too long, in words for people; empty while one has."""
    return signs().silence


def in_words(time: timedelta) -> str:
    """Seconds up to two minutes, then minutes."""
    seconds = time.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
