"""Locks that are asked for briefly and again, so that the application never queues behind us for long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import errors, sql

from migration_runs.engine import timeouts
from migration_runs.engine.job import Reporter
from migration_runs.engine.move.names import Shape, Side
from migration_runs.exceptions import EngineError, StopRequested

T = TypeVar("T")
GAVE_WAY = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
PATIENCE_S = 120.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


def retried(
    work: Callable[[], T], *, what: str, reporter: Reporter | None = None, patience_s: float = PATIENCE_S
) -> T:
    """Call ``work`` until it does not give way to somebody's lock, with growing, jittered pauses.

    ``work`` is one whole transaction. Raises StopRequested between two tries when a person asked for a
    pause, LeaseLost from the reporter's beat, EngineError after ``patience_s`` seconds of trying.
    """
    started, pause = time.monotonic(), FIRST_PAUSE_S
    while True:
        try:
            return work()
        except GAVE_WAY as error:
            if time.monotonic() - started > patience_s:
                raise EngineError(
                    f"{what}: the lock did not come free within {patience_s:.0f} s",
                    kept="everything that was committed before",
                    next_step="see who holds the tables (pg_locks, pg_stat_activity), then retry",
                ) from error
        if reporter is not None:
            reporter.beat()
            if reporter.stop_requested():
                raise StopRequested(f"{what}: stopped while waiting for a lock")
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret
        pause = min(pause * 2, LONGEST_PAUSE_S)


def lock_tables(
    conn: psycopg.Connection[Any],
    shape: Shape,
    *,
    sides: tuple[Side, ...] = ("source", "target"),
    lock_ms: int,
    statement_s: float = 60.0,
    to_drop: bool = False,
) -> None:
    """Keep writers of these tables out until the transaction ends; those in flight have ended by then.

    Readers go on, but for ``to_drop``: a transaction that takes triggers off needs ACCESS EXCLUSIVE at the
    end, and asks for it first. To ask for more while holding less deadlocks with whoever has read a table
    and is about to write it, and PostgreSQL may let the application fail. Source before target, always.
    Raises LockNotAvailable after ``lock_ms``, far below PostgreSQL's deadlock_timeout.
    """
    timeouts.local(conn, lock_ms=lock_ms, statement_s=statement_s)
    mode = sql.SQL("ACCESS EXCLUSIVE" if to_drop else "SHARE ROW EXCLUSIVE")
    for side in sides:
        conn.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(shape.table(side).sql, mode))
