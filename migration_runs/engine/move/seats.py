"""Seats at a copy: how many extra workers take part, and whether they have all left.

A seat is an advisory lock of the worker's session, so that nobody keeps one who is gone. Extra workers of a
copy by ``N`` workers take seats 1 to ``N - 1``; one that finds none free was one too many (a message came
twice, or the number was lowered). The phase's own worker needs no seat.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import psycopg

from migration_runs.engine import connection, statements
from migration_runs.engine.job import Job, Reporter

LOOK_EVERY_S = 0.1
PATIENCE_S = 30.0
"""An extra worker that has not left for so long is frozen, and its session is ended. A chunk is far
shorter.
"""


def take(conn: psycopg.Connection[Any], run_uid: uuid.UUID, *, workers: int) -> int | None:
    """The seat that this session now has in a copy by ``workers`` workers; None when all are taken."""
    for seat in range(1, workers):
        row = conn.execute(
            "SELECT pg_try_advisory_lock(%s::int, %s::int)", (_number(run_uid), seat)
        ).fetchone()
        if row is not None and row[0]:
            return seat
    return None


def taken(conn: psycopg.Connection[Any], run_uid: uuid.UUID) -> list[int]:
    """Server processes of the sessions that have a seat."""
    run = _number(run_uid) & 0xFFFF_FFFF  # the catalog shows it without a sign
    return [row[0] for row in conn.execute(statements.load("seats_taken"), {"run": run}).fetchall()]


def wait_until_left(
    conn: psycopg.Connection[Any],
    job: Job,
    reporter: Reporter,
    *,
    step: str,
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait until no extra worker is left; after ``patience_s`` the sessions of those that stay are ended.

    They leave by themselves between two chunks once a stop is asked for. Raises LeaseLost from the
    reporter's beat.
    """
    give_up = time.monotonic() + patience_s
    while pids := taken(conn, job.run_uid):
        reporter.beat()
        if time.monotonic() >= give_up:
            ours = connection.application_name(job.run_uid, "")
            conn.execute(statements.load("seats_end"), {"pids": pids, "ours": ours})
            reporter.log("warn", f"ended {len(pids)} extra copy workers that did not stop", step=step)
            give_up = time.monotonic() + patience_s
        time.sleep(LOOK_EVERY_S)


def _number(run_uid: uuid.UUID) -> int:
    """The run's class of advisory locks: 32 bits of its uid, as a signed number."""
    return int.from_bytes(run_uid.bytes[:4], "big", signed=True)
