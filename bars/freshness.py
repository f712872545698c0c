"""Whether a series and an aggregation task keep up, on the market's clock.

The limits are those of the hourly checks of the runbook ``dxy_1m``; other timeframes follow from them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from bars import market
from bars.timeframes import STEPS

Freshness = Literal["fresh", "late", "closed"]

AFTER_ITS_END = {"1m": timedelta(minutes=4), "5m": timedelta(minutes=10)}
"""How long after the end of the newest bar a series still counts as fresh."""

SLACK = timedelta(minutes=5)
"""What other timeframes are allowed beyond the length of one bar."""

ON_SCHEDULE = timedelta(minutes=10)
"""How long after its time a window may still be made."""

REAL_FLOOR = timedelta(seconds=2)
"""No limit is shorter than this in real time, however fast the market's clock runs."""


def of_series(newest: datetime, timeframe: str, *, now: datetime, speed: float) -> Freshness:
    """Judge the newest bar's age; after an opening, time counts from the opening."""
    if not market.is_open(now):
        return "closed"
    step = STEPS[timeframe]
    limit = AFTER_ITS_END.get(timeframe, step + SLACK)
    return _judge(now - max(newest + step, market.opened_at(now)), limit, speed)


def of_window(
    next_window: datetime, interval: timedelta, delay: timedelta, *, now: datetime, speed: float
) -> Freshness:
    """Judge when the next window of an aggregation task should have been made."""
    if not market.is_open(now):
        return "closed"
    due = max(next_window, market.opened_at(now)) + interval + delay
    return _judge(now - due, ON_SCHEDULE, speed)


def _judge(age: timedelta, limit: timedelta, speed: float) -> Freshness:
    return "fresh" if age < max(limit, REAL_FLOOR * speed) else "late"
