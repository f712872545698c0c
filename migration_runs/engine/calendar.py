"""The trading calendar: weekly sessions in UTC, half-open, as a runbook's window declares them.

No session means a market that never closes. A session may cross the end of the week
("Sun 22:00" to "Fri 22:00"); one that closes at the minute at which it opens lasts the whole week.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from migration_runs.runbook.monitoring import Session

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEK = timedelta(days=7)

Interval = tuple[datetime, datetime]


def is_open(sessions: Sequence[Session], at: datetime) -> bool:
    """Whether the market is open at ``at`` (an aware datetime; ValueError for a naive one)."""
    if not sessions:
        _require_aware(at)
        return True
    return open_from(sessions, at) is not None


def open_from(sessions: Sequence[Session], at: datetime) -> datetime | None:
    """When the session that is open at ``at`` opened; None when closed, or when the market never closes."""
    _require_aware(at)
    for start, end in _intervals(sessions, at - _WEEK, at + _WEEK):
        if start <= at < end:
            return start
    return None


def open_until(sessions: Sequence[Session], at: datetime) -> datetime | None:
    """When the session that is open at ``at`` closes; None when closed, or when the market never closes."""
    _require_aware(at)
    for start, end in _intervals(sessions, at - _WEEK, at + _WEEK):
        if start <= at < end:
            return end
    return None


def closed_since(sessions: Sequence[Session], at: datetime) -> datetime | None:
    """When the last session before ``at`` closed; None when it is open, or when there was none."""
    if open_from(sessions, at) is not None:
        return None
    closes = [end for _, end in _intervals(sessions, at - _WEEK, at) if end <= at]
    return closes[-1] if closes else None


def open_seconds(sessions: Sequence[Session], start: datetime, end: datetime) -> float:
    """Seconds of ``[start, end)`` during which the market is open; 0 when ``end`` is not after ``start``."""
    _require_aware(start)
    _require_aware(end)
    if end <= start:
        return 0.0
    if not sessions:
        return (end - start).total_seconds()
    total = timedelta()
    for opened, closed in _intervals(sessions, start, end):
        total += max(min(closed, end) - max(opened, start), timedelta())
    return total.total_seconds()


def _intervals(sessions: Sequence[Session], start: datetime, end: datetime) -> list[Interval]:
    """Open intervals that touch ``[start, end)``, merged where they overlap or adjoin, in order."""
    first = _monday(start) - _WEEK
    weeks = int((_monday(end) - first) / _WEEK) + 1
    found: list[Interval] = []
    for number in range(weeks):
        monday = first + number * _WEEK
        for session in sessions:
            opens, closes = _offset(session.opens), _offset(session.closes)
            length = closes - opens if closes > opens else closes - opens + _WEEK
            found.append((monday + opens, monday + opens + length))
    merged: list[Interval] = []
    for opened, closed in sorted(found):
        if merged and opened <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], closed))
        else:
            merged.append((opened, closed))
    return [(opened, closed) for opened, closed in merged if closed > start and opened < end]


def _offset(text: str) -> timedelta:
    day, time = text.split()
    hours, minutes = time.split(":")
    return timedelta(days=_DAYS.index(day), hours=int(hours), minutes=int(minutes))


def _monday(at: datetime) -> datetime:
    utc = at.astimezone(UTC)
    midnight = utc.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday())


def _require_aware(at: datetime) -> None:
    if at.tzinfo is None:
        raise ValueError("a time without a time zone has no place on a calendar")
