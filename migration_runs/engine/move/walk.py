"""Walking through rows in pieces, each one fenced transaction that gives way to the application.

What cleanup and rollback share: they need no record of a piece, since what is done shows in the rows
themselves, and whoever comes after a killed worker begins the walk anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from migration_runs.engine import ledger
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import chunks, throttle
from migration_runs.engine.move.copier import MOST_YIELDS, YIELDS, weight
from migration_runs.engine.move.live_settings import LiveSettings
from migration_runs.engine.move.load import Looker
from migration_runs.engine.move.names import Shape
from migration_runs.exceptions import StepFailed, StopRequested

Place = TypeVar("Place")

GIVES_WAY = (*YIELDS, errors.UniqueViolation)
"""A key that the application brings to life just when the piece does is there: the next try sees it."""


def walk(
    conn: psycopg.Connection[Any],
    job: Job,
    shape: Shape,
    reporter: Reporter,
    *,
    what: str,
    step: str,
    total: int,
    end: Callable[[Place | None, int], Place | None],
    work: Callable[[Place | None, Place | None], int],
) -> int:
    """Do ``work(lo, hi)`` for one piece after the other; how many rows it wrote in all.

    ``end(lo, rows)`` says where the piece after ``lo`` ends that has about ``rows`` rows, None when it
    is the last. Both are called inside the piece's transaction, in which nobody drains keys. Raises
    StopRequested between two pieces, StepFailed when a lock does not come free, Fenced, LeaseLost.
    """
    live = LiveSettings(shape.move.copying, reporter, step=step)
    size = chunks.ChunkSize(live.now())
    brake = throttle.Throttle(Looker(conn, job), live.now, hours=False)  # a person waits for this one
    lo: Place | None = None
    done = yields = 0

    def look(note: str, waited_s: float = 0.0) -> None:
        reporter.beat()
        if reporter.stop_requested():
            raise StopRequested(f"{what}: stopped between two pieces", kept="every piece that was done")
        reporter.progress(step, done, max(total, done), unit="rows", note=note, waited_s=waited_s)

    while True:
        look("")
        brake.wait(tell=lambda reason, waited_s: look(reason.text, waited_s))
        size.follow(live.now())
        started = time.perf_counter()
        try:
            with ledger.fenced(conn, job):
                ledger.hold_copy_lock(conn, job.run_uid)
                # Stale statistics must not turn every piece into a full scan.
                conn.execute("SET LOCAL enable_seqscan = off")
                hi = end(lo, size.rows)
                rows = work(lo, hi)
        except GIVES_WAY as error:
            yields += weight(error)
            if yields >= MOST_YIELDS:
                raise StepFailed(
                    f"{what} gave way {yields} times in a row: {error.diag.message_primary}",
                    kept="every piece that was done",
                    next_step="find the session that holds the lock (pg_locks) or the row, then retry",
                ) from error
            size.yielded()
            look("giving way to the application: a row or the table is locked")
            time.sleep(chunks.retry_delay(yields))
            continue
        done, yields = done + rows, 0
        if hi is None:
            look("")
            return done
        size.took(rows=size.rows, ms=(time.perf_counter() - started) * 1000)
        lo = hi
