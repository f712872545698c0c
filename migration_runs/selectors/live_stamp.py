"""Whether an open page of a run would look otherwise than when it was last drawn: one query."""

from __future__ import annotations

import time

from django.db import connection

from migration_runs import control_sql

BUSY_S = 5
"""While something is at work the page is drawn anew at least this often: rates, and leases that run out."""

IDLE_S = 30
"""Otherwise this often: people's rights, and how long ago things were."""


def stamp_of(run_id: int) -> str:
    """A text that stays the same while nothing on the run's pages changes; with its time, in ``BUSY_S`` or
    ``IDLE_S`` seconds.
    """
    with connection.cursor() as cursor:
        cursor.execute(control_sql.read("live_stamp.sql"), {"run": run_id})
        stamp, busy = cursor.fetchone()
    return f"{stamp[:16]}-{int(time.time() // (BUSY_S if busy else IDLE_S))}"
