"""How many rows a move is about, for previews: exact where that is quick, else what the planner expects."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine.move import catalog, columns
from migration_runs.runbook.move import Move

COUNTED_ROWS = 500_000
"""Above so many expected rows nobody waits for a count."""


def source_rows(conn: psycopg.Connection[Any], move: Move) -> int:
    """Active source rows in scope. Raises EngineError when the tables are not what the move says."""
    shape = catalog.resolve(conn, move, uuid.UUID(int=0))
    rows = sql.SQL("FROM {} AS s WHERE {}").format(shape.source.sql, columns.source_rows(shape, "s"))
    planned = conn.execute(sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 {}").format(rows)).fetchone()
    expected = int(planned[0][0]["Plan"]["Plan Rows"]) if planned else 0
    if expected > COUNTED_ROWS:
        return expected
    counted = conn.execute(sql.SQL("SELECT count(*) {}").format(rows)).fetchone()
    return int(counted[0]) if counted else 0
