"""One at a time across all workers, by a lock of the control database that ends with its session."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import InterfaceError, OperationalError, connection

KINDS = {"drain": 1, "verify": 2, "ledger": 3}

SPACE = 0x5047_0000
"""Keeps these locks apart from others that the control database may know."""


@contextlib.contextmanager
def alone(kind: str, object_id: int) -> Iterator[bool]:
    """Whether nobody else does ``kind`` for ``object_id`` while the block lasts.

    The lock belongs to this thread's connection: a worker that dies gives it up at once. Not inside a
    transaction. Raises KeyError for a kind that is not in ``KINDS``.
    """
    key = [SPACE + KINDS[kind], object_id]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        row = cursor.fetchone()
    taken = bool(row and row[0])
    try:
        yield taken
    finally:
        if taken:
            # A connection that was lost meanwhile has taken the lock with it.
            with contextlib.suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


def is_taken(kind: str, object_id: int) -> bool:
    """Whether somebody does ``kind`` for ``object_id`` now, seen without getting in the way."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s "
            "AND objid = %s AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            [SPACE + KINDS[kind], object_id],
        )
        row = cursor.fetchone()
    return bool(row and row[0])
