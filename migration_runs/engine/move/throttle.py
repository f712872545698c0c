"""Waiting between chunks while the target has enough to do, saying why; pausing where waiting is not enough.

What is looked at, in the order in which the first reason is told: standbys, replication slots, sessions that
wait for our locks, active sessions, WAL per second, the runbook's own query, busy hours. A critical bound of
any of them comes before all of these. Our own sessions count nowhere.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from migration_runs.engine import calendar
from migration_runs.engine.move.load import Load, Looker
from migration_runs.runbook.copying import BusyHours, CopySettings, Number

LOOK_EVERY_S = 0.25
"""Chunks that follow each other faster than this do not look again."""

OWN_EVERY_S = 2.0
"""The runbook's own query is asked this often at most."""

LONGEST_PAUSE_S = 2.0
LONGEST_REST_S = 60.0


@dataclass(frozen=True)
class Reason:
    """Why the copier should wait: ``kind`` stays the same while ``text``'s numbers change."""

    kind: str
    text: str
    critical: bool = False


Tell = Callable[[Reason, float], None]
"""Called with the reason and for how many seconds it has held; may raise to end the waiting."""


def reason(load: Load, settings: CopySettings, *, hours: bool = True) -> Reason | None:
    """Why the copier should wait, the first of its reasons; None when it should not."""
    measures = list(_measures(load, settings))
    for kind, measured, text, _, critical in measures:
        if critical is not None and measured > critical:
            return Reason(kind, f"{text} (critical above {critical:g})", critical=True)
    for kind, measured, text, limit, _ in measures:
        if limit is not None and measured > limit:
            return Reason(kind, f"{text} (limit {limit:g})")
    if hours:
        for busy in settings.busy_hours:
            if busy.pace == 0 and (until := ends(busy, load.now)) is not None:
                return Reason("hours", f"busy hours until {until:%a %H:%M} ({busy.time_zone})")
    return None


def _measures(
    load: Load, settings: CopySettings
) -> Iterator[tuple[str, float, str, Number | None, Number | None]]:
    """Kind, measure, words, limit and critical bound, in the order in which reasons are told."""
    lag = f"the standby {load.standby} is {load.lag_s:.1f} s behind"
    yield "standby", load.lag_s, lag, settings.max_replication_lag_s, settings.critical_replication_lag_s
    slot = f"the replication slot {load.slot} keeps {load.slot_mb:,.0f} MB of WAL back"
    yield "slot", load.slot_mb, slot, settings.max_slot_mb, None
    waiters = f"{load.lock_waiters} sessions wait for our locks"
    yield "locks", load.lock_waiters, waiters, settings.max_lock_waiters, settings.critical_lock_waiters
    active = f"{load.active_sessions} sessions are active"
    yield (
        "sessions",
        load.active_sessions,
        active,
        settings.max_active_sessions,
        settings.critical_active_sessions,
    )
    if load.wal_mb_s is not None:
        yield "wal", load.wal_mb_s, f"{load.wal_mb_s:.1f} MB/s of WAL", settings.max_wal_mb_s, None
    if load.own is not None:
        own = f"{settings.load_title}: {load.own:g}"
        yield "load", load.own, own, settings.max_load, settings.critical_load


def ends(busy: BusyHours, now: datetime) -> datetime | None:
    """When these hours are over, on their own wall clock; None outside of them."""
    there = now.astimezone(ZoneInfo(busy.time_zone))
    # The calendar counts weeks in UTC: a wall clock's time is handed to it as if it were that.
    return calendar.open_until((busy,), there.replace(tzinfo=UTC))


class Throttle:
    """Asks the target how busy it is, not more often than is useful.

    ``settings`` gives the values of now: they may change while it waits. ``hours`` false leaves the busy
    hours out, for work that nobody wants to wait for. ``pause`` asks for a pause of the phase, with the
    reason, where load is critical; without it, such load is waited for like any other.
    """

    def __init__(
        self,
        looker: Looker,
        settings: Callable[[], CopySettings],
        *,
        hours: bool = True,
        pause: Callable[[str], None] | None = None,
    ) -> None:
        self._looker = looker
        self._settings = settings
        self._hours = hours
        self._pause = pause
        self._looked = float("-inf")
        self._asked_own = float("-inf")
        self._last: Load | None = None

    def wait(self, *, tell: Tell) -> float:
        """Wait until the target is no longer too busy; seconds waited.

        ``tell`` is called before every pause: it is where the caller renews its lease and looks for a stop,
        the one that was asked for because of critical load included.
        """
        started = time.monotonic()
        if started - self._looked < LOOK_EVERY_S:
            return 0.0
        kind, since, pause = "", started, 0.1
        while (found := reason(self.load(), self._settings(), hours=self._hours)) is not None:
            if found.kind != kind:
                kind, since = found.kind, time.monotonic()
            if found.critical and self._pause is not None:
                self._pause(f"critical load: {found.text}")
            tell(found, time.monotonic() - since)
            time.sleep(pause * random.uniform(0.75, 1.0))  # noqa: S311 - so that workers do not go on as one
            pause = min(pause * 2, LONGEST_PAUSE_S)
        self._looked = time.monotonic()
        return self._looked - started

    def rest(self, ms: float, *, tell: Tell) -> float:
        """In hours with a pace: rest as long as that asks after a chunk of ``ms`` milliseconds; seconds
        rested.
        """
        if self._last is None or not self._hours:
            return 0.0
        now = self._last.now
        for busy in self._settings().busy_hours:
            if busy.pace == 0 or (until := ends(busy, now)) is None:
                continue
            text = (
                f"busy hours until {until:%a %H:%M} ({busy.time_zone}): copying {busy.pace:.0%} of the time"
            )
            return self._rest(
                min(ms / 1000 * (1 / busy.pace - 1), LONGEST_REST_S), Reason("hours", text), tell
            )
        return 0.0

    @staticmethod
    def _rest(seconds: float, why: Reason, tell: Tell) -> float:
        started = time.monotonic()
        while (left := seconds - (time.monotonic() - started)) > 0:
            tell(why, time.monotonic() - started)
            time.sleep(min(left, 0.5))
        return time.monotonic() - started

    def load(self) -> Load:
        """How busy the target is now."""
        own = time.monotonic() - self._asked_own >= OWN_EVERY_S or self._last is None
        found = self._looker.look(own=own)
        if own:
            self._asked_own = time.monotonic()
        elif self._last is not None:
            found = found.with_own(self._last.own)
        self._last = found
        return found
