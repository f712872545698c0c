"""Waiting between chunks while the target has enough to do, and saying why.

Three measures, each with a bound in the plan: replay lag of the standbys, sessions that wait for a
lock on the two tables, active sessions. Our own sessions never count as waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from migration_runs.engine import statements
from migration_runs.engine.move.names import Shape
from migration_runs.runbook.move import CopySettings

LOOK_EVERY_S = 0.25
"""Chunks that follow each other faster than this do not look again."""

LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True)
class Load:
    """What the target is busy with: standby lag in seconds, sessions waiting for our tables, active ones."""

    lag_s: float
    lock_waiters: int
    active_sessions: int

    def reason(self, settings: CopySettings) -> str:
        """Why the copier should wait, in words for people; empty when it should not."""
        if self.lag_s > settings.max_replication_lag_s:
            return (
                f"waiting: a standby is {self.lag_s:.1f} s behind (limit {settings.max_replication_lag_s:g})"
            )
        if self.lock_waiters > settings.max_lock_waiters:
            return f"waiting: {self.lock_waiters} sessions wait for locks (limit {settings.max_lock_waiters})"
        if self.active_sessions > settings.max_active_sessions:
            return f"waiting: {self.active_sessions} active sessions (limit {settings.max_active_sessions})"
        return ""


class Throttle:
    """Asks the target how busy it is, not more often than is useful."""

    def __init__(self, conn: psycopg.Connection[Any], shape: Shape) -> None:
        self._conn = conn
        self._tables = {"tables": [shape.source.oid, shape.target.oid]}
        self._settings = shape.move.copying
        self._looked = 0.0

    def wait(self, *, tell: Callable[[str], None]) -> float:
        """Wait until the target is no longer too busy; seconds waited.

        ``tell`` is called with the reason before every pause, and may raise to end the waiting: it
        is where the caller renews its lease and looks for a stop.
        """
        started = time.monotonic()
        if started - self._looked < LOOK_EVERY_S:
            return 0.0
        pause = 0.1
        while reason := self.load().reason(self._settings):
            tell(reason)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        self._looked = time.monotonic()
        return self._looked - started

    def load(self) -> Load:
        """How busy the target is now."""
        row = self._conn.execute(statements.load("throttle"), self._tables).fetchone()
        assert row is not None
        return Load(lag_s=float(row[0]), lock_waiters=int(row[1]), active_sessions=int(row[2]))
