"""What the target is busy with: one look at it, and what only several looks can tell.

How far a standby is behind is measured here and not taken from ``replay_lag`` alone: that one is of the last
transaction that the standby applied, and stands still when its replay does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migration_runs.engine import connection, script, statements, timeouts
from migration_runs.engine.job import Job
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.base import SqlFile

RATE_OVER_S = 2.0
"""WAL per second is the mean of so many seconds: a single chunk is no rate."""

SILENT_S = 15.0
"""A standby answers every 10 s at least; one that has not for so long is as late as its last answer is
old.
"""

MOST_MARKS = 1024
LOAD_LOCK_MS = 200
LOAD_STATEMENT_S = 5.0
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Load:
    """What the target is busy with now.

    ``lag_s``: seconds by which ``standby`` is behind, the worst one. ``slot_mb``: WAL that ``slot`` keeps
    back.
    ``lock_waiters``: sessions that one of ours blocks. ``active_sessions``: of others. ``wal_mb_s``: None
    until two looks lie far enough apart. ``own``: the runbook's number; None without a query, infinite when
    it does not answer.
    """

    now: datetime
    lag_s: float = 0.0
    standby: str = ""
    slot_mb: float = 0.0
    slot: str = ""
    lock_waiters: int = 0
    active_sessions: int = 0
    wal_mb_s: float | None = None
    own: float | None = None

    def with_own(self, own: float | None) -> Load:
        """This look, with the runbook's number of an earlier one."""
        return replace(self, own=own)


class WalMarks:
    """When the server had written how much WAL, as far as we have looked."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def add(self, at: float, wal: int) -> None:
        """At the moment ``at`` (seconds) ``wal`` bytes had been written since ever."""
        self._marks.append((at, wal))
        if len(self._marks) > MOST_MARKS:
            # The older half at half the resolution: hours fit, and the last minutes stay exact.
            half = MOST_MARKS // 2
            self._marks = self._marks[:half:2] + self._marks[half:]

    def rate(self, over_s: float = RATE_OVER_S) -> float | None:
        """Bytes per second over about ``over_s``; None while we have not looked for so long."""
        if not self._marks:
            return None
        at, wal = self._marks[-1]
        for before, was in reversed(self._marks[:-1]):
            if at - before >= over_s:
                return (wal - was) / (at - before)
        return None

    def seconds_behind(self, replayed: int, *, until: float) -> tuple[float, bool]:
        """For how long before ``until`` there had been more WAL than ``replayed``; whether that is exact.

        It is not where all our looks saw more already: then it is longer than we have looked.
        """
        if not self._marks or replayed >= self._marks[-1][1]:
            return 0.0, True
        for at, wal in reversed(self._marks):
            if wal <= replayed:
                return max(0.0, until - at), True
        return max(0.0, until - self._marks[0][0]), False


class Looker:
    """Looks at the target through one session. ``clock`` gives seconds that only grow."""

    def __init__(
        self, conn: psycopg.Connection[Any], job: Job, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._conn = conn
        self._plan = job.plan
        self._ours = {"ours": connection.application_name(job.run_uid, "")}
        self._clock = clock
        self._marks = WalMarks()
        self._replies: dict[int, tuple[str | None, float]] = {}

    def look(self, *, own: bool) -> Load:
        """How busy the target is. ``own``: ask the runbook's query too, where it has one.

        Raises StepFailed when that query fails or gives no number.
        """
        with self._conn.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(statements.load("throttle"), self._ours).fetchone()
        assert row is not None
        self._marks.add(self._clock(), row["wal"])
        lag_s, standby = max((self._behind(one) for one in row["standbys"]), default=(0.0, ""))
        rate = self._marks.rate()
        file = self._plan.runbook.move.copying.load_sql
        return Load(
            now=row["now"],
            lag_s=lag_s,
            standby=standby,
            slot_mb=row["slot_bytes"] / MEGABYTE,
            slot=row["slot"] or "",
            lock_waiters=row["lock_waiters"],
            active_sessions=row["active_sessions"],
            wal_mb_s=None if rate is None else rate / MEGABYTE,
            own=self._own(file) if file is not None and own else None,
        )

    def _behind(self, standby: dict[str, Any]) -> tuple[float, str]:
        """By how many seconds a standby is behind, and its name.

        Counted to its last answer and not to now, as long as it answers: of a primary that writes nothing it
        hears nothing, and would be called late without being so.
        """
        now = self._clock()
        replied, heard = self._replies.get(standby["pid"], (None, now))
        if replied != standby["replied"]:
            heard = now
        self._replies[standby["pid"]] = (standby["replied"], heard)
        until = now if now - heard > SILENT_S else heard
        seconds, exact = self._marks.seconds_behind(standby["replayed"], until=until)
        return (seconds if exact else max(seconds, standby["lag_s"])), standby["name"]

    def _own(self, file: SqlFile) -> float:
        try:
            with self._conn.transaction():
                self._conn.execute("SET TRANSACTION READ ONLY")
                timeouts.local(self._conn, lock_ms=LOAD_LOCK_MS, statement_s=LOAD_STATEMENT_S)
                rows = script.execute(self._conn, file, self._plan.parameters)
        except script.SqlFailed as error:
            if error.sqlstate in {"57014", "55P03"}:
                return float("inf")  # too busy to answer, which is an answer
            raise
        return number(rows, file)


def number(rows: list[script.Row], file: SqlFile) -> float:
    """The one number of a load query. Raises StepFailed for anything else, NULL included."""
    values = [value for row in rows for value in row.values()]
    try:
        (value,) = values
        return float(value)
    except (TypeError, ValueError):
        said = [script.jsonable(value) for value in values]
        raise StepFailed(
            f"{file.path} must return one number in one row; it returned {said}",
            kept="every chunk that was copied",
            next_step="correct what the query reads, then retry",
        ) from None
