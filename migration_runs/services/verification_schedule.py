"""When the live verification is due, and when it is too late. All times are the control database's."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from migration_runs.models import MonitoringWindow, Run, VerificationReport
from migration_runs.services import clock

MIN_PERIOD_S = 3.0
"""Real seconds between two passes, or two looks, at least, however compressed the target's clock is."""

SHARE = 4
"""Full passes take at most one part in so many of the time, on one target."""

LOOK_SHARE = 20
"""The same for looks at what was touched."""

LATE_PERIODS = 3
"""A full pass that has not ended within so many of its periods is overdue."""

LATE_AT_LEAST = timedelta(minutes=2)
"""However compressed the clock: a busy machine is no reason to hold a run."""


def period(clock_speed: float, took_s: float) -> timedelta:
    """Real time between two full passes: the setting's market time, but never back to back."""
    wanted = settings.PHASEGATE_VERIFICATION_SECONDS / clock_speed
    return timedelta(seconds=max(wanted, MIN_PERIOD_S, took_s * SHARE))


def look_period(took_s: float) -> timedelta:
    """Real time between two looks at what was touched; a sweep comes no more often anyway."""
    return timedelta(seconds=max(MIN_PERIOD_S, took_s * LOOK_SHARE))


def newest(run_id: int, kind: str) -> VerificationReport | None:
    """The newest report of that kind."""
    return VerificationReport.objects.filter(run_id=run_id, kind=kind).order_by("-id").first()


def pass_due(run_id: int, clock_speed: float) -> bool:
    """Whether a full pass should be begun, or gone on with."""
    last = newest(run_id, VerificationReport.Kind.FULL)
    return last is None or clock.database_now() - last.at >= period(clock_speed, last.seconds)


def look_due(run_id: int) -> bool:
    """Whether what was touched should be looked at."""
    last = newest(run_id, VerificationReport.Kind.TOUCHED)
    return last is None or clock.database_now() - last.at >= look_period(last.seconds)


def fresh_for(clock_speed: float, took_s: float) -> timedelta:
    """How long a full report says something about now."""
    return max(LATE_PERIODS * period(clock_speed, took_s), LATE_AT_LEAST)


def overdue_since(run_id: int) -> datetime | None:
    """When the last full pass ended, or the open window began, if that is too long ago; else None."""
    window = MonitoringWindow.objects.filter(run_id=run_id, ended_at=None).order_by("-number").first()
    if window is None:
        return None
    last = newest(run_id, VerificationReport.Kind.FULL)
    since = max(last.at, window.started_at) if last is not None else window.started_at
    speed = Run.objects.values_list("plan__body__clock_speed", flat=True).get(pk=run_id)
    bound = fresh_for(float(speed), last.seconds if last is not None else 0.0)
    return since if clock.database_now() - since > bound else None
