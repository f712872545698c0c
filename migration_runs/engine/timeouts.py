"""Session timeouts that are always put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import pq

_SET = "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)"
_SHOW = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"


@contextlib.contextmanager
def timeouts(conn: psycopg.Connection[Any], *, lock_ms: int, statement_s: float) -> Iterator[None]:
    """Inside the block a statement waits at most ``lock_ms`` for a lock and runs at most ``statement_s``.

    Before and after are as they were, whatever happens; only a broken connection keeps nothing, since it
    has nothing to keep. Raises ValueError where a lock wait could outlast the statement (then it is the
    statement's timeout that people would see, and that one is not retried), and when a transaction is
    open: its rollback would undo the settings unnoticed.
    """
    if not 0 < lock_ms < statement_s * 1000:
        raise ValueError(
            f"lock timeout {lock_ms} ms must be above 0 and below the statement's {statement_s} s"
        )
    if conn.info.transaction_status != pq.TransactionStatus.IDLE:
        raise ValueError("timeouts are set between transactions")
    before = conn.execute(_SHOW).fetchone()
    conn.execute(_SET, (f"{lock_ms}ms", f"{round(statement_s * 1000)}ms"))
    try:
        yield
    finally:
        if not conn.closed and not conn.broken and conn.info.transaction_status == pq.TransactionStatus.IDLE:
            conn.execute(_SET, before)


def local(conn: psycopg.Connection[Any], *, lock_ms: int, statement_s: float) -> None:
    """The same for the rest of the current transaction. Raises ValueError as :func:`timeouts` does."""
    if not 0 < lock_ms < statement_s * 1000:
        raise ValueError(
            f"lock timeout {lock_ms} ms must be above 0 and below the statement's {statement_s} s"
        )
    conn.execute(
        "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
        (f"{lock_ms}ms", f"{round(statement_s * 1000)}ms"),
    )
