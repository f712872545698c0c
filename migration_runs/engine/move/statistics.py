"""The planner's statistics of the target, refreshed once history is in it.

Until autovacuum comes by, the planner takes the target for what it was before the copy, often empty, and the
application's first reads after the switch would be planned for that.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors, sql

from migration_runs.engine import timeouts
from migration_runs.engine.job import Reporter
from migration_runs.engine.move.names import Shape


def refresh(
    conn: psycopg.Connection[Any],
    shape: Shape,
    reporter: Reporter,
    *,
    step: str,
    lock_ms: int,
    statement_s: float,
) -> bool:
    """``ANALYZE`` the target; whether its statistics are those of now. No reader or writer waits for it.

    Never fails a step, since nothing but speed depends on it: where a vacuum or an index build holds the
    table, or it takes too long, a line in the log says so and autovacuum does it later.
    """
    try:
        with timeouts.timeouts(conn, lock_ms=lock_ms, statement_s=statement_s):
            conn.execute(sql.SQL("ANALYZE {}").format(shape.table("target").sql))
    except (errors.LockNotAvailable, errors.QueryCanceled) as error:
        reporter.log(
            "warn",
            f"statistics of {shape.target} were not refreshed ({error.diag.message_primary}); until "
            f"autovacuum does, queries on it may be slow: ANALYZE {shape.target}",
            step=step,
        )
        return False
    return True
