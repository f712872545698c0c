"""Times and numbers of the rules, each with the setting that may change it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

TIMES = ("PHASEGATE_SIGN_OFF_SECONDS", "PHASEGATE_STEP_UP_SECONDS", "PHASEGATE_LEASE_SECONDS")


def sign_off_valid() -> timedelta:
    """How long an approval counts before what it allows has happened."""
    return timedelta(seconds=settings.PHASEGATE_SIGN_OFF_SECONDS)


def step_up_valid() -> timedelta:
    """How long a proof of identity counts."""
    return timedelta(seconds=settings.PHASEGATE_STEP_UP_SECONDS)


def silent_after() -> timedelta:
    """After how long without a sweep, or a lease that is held, nobody may be at work any more."""
    return max(timedelta(seconds=3 * settings.SWEEP_SECONDS), lease())


def lease() -> timedelta:
    """How long a worker's lease lasts without renewal."""
    return timedelta(seconds=settings.PHASEGATE_LEASE_SECONDS)
