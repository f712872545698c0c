"""Whether any worker is there at all: told by every sweep, seen by every lease that is held."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Max
from django.db.models.functions import Now

from migration_runs.models import FleetPulse, PhaseRun
from migration_runs.services import clock, rules


def beat() -> None:
    """A worker is here and looks for work now, by the control database's clock."""
    FleetPulse.objects.bulk_create(
        [FleetPulse(at=Now())], update_conflicts=True, unique_fields=["id"], update_fields=["at"]
    )


def silence() -> str:
    """That no worker has been heard of for too long, in words for people; empty while one has."""
    last = FleetPulse.objects.values_list("at", flat=True).first()
    leased = PhaseRun.objects.exclude(lease_worker="").aggregate(until=Max("lease_until"))["until"]
    signs = [at for at in (last, leased - rules.lease() if leased else None) if at is not None]
    if not signs:
        return "No worker has reported yet."
    silent = clock.database_now() - max(signs)
    return f"No worker has reported for {in_words(silent)}." if silent > rules.silent_after() else ""


def in_words(time: timedelta) -> str:
    """Seconds up to two minutes, then minutes."""
    seconds = time.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
