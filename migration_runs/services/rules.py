"""Times and numbers of the rules, each with the setting that may change it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

TIMES = (
    "PHASEGATE_SIGN_OFF_DAYS",
    "PHASEGATE_STEP_UP_SECONDS",
    "PHASEGATE_LEASE_SECONDS",
)


def sign_off_valid() -> timedelta:
    """How long an approval of a plan, or of a start, counts (PHASEGATE_SIGN_OFF_DAYS, default 7 days)."""
    return timedelta(days=getattr(settings, "PHASEGATE_SIGN_OFF_DAYS", 7.0))


def step_up_valid() -> timedelta:
    """How long a proof of identity counts (PHASEGATE_STEP_UP_SECONDS, default 5 minutes)."""
    return timedelta(seconds=getattr(settings, "PHASEGATE_STEP_UP_SECONDS", 300.0))


def lease() -> timedelta:
    """How long a worker's lease lasts without renewal (PHASEGATE_LEASE_SECONDS, default 30 s)."""
    return timedelta(seconds=getattr(settings, "PHASEGATE_LEASE_SECONDS", 30.0))
