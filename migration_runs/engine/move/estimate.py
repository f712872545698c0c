"""How many rows a move is about, for previews: exact where that is quick, else what the planner expects."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine.move import catalog, columns, run_tables
from migration_runs.engine.move.rollback_statements import RollbackStatements
from migration_runs.runbook.move import Move

COUNTED_ROWS = 500_000
"""Above so many expected rows nobody waits for a count."""


def source_rows(conn: psycopg.Connection[Any], move: Move) -> int:
    """Active source rows in scope. Raises EngineError when the tables are not what the move says."""
    shape = catalog.resolve(conn, move, uuid.UUID(int=0))
    rows = sql.SQL("SELECT 1 FROM {} AS s WHERE {}").format(shape.source.sql, columns.source_rows(shape, "s"))
    return _count(conn, rows)


def brought_rows(conn: psycopg.Connection[Any], move: Move, run_uid: uuid.UUID) -> int:
    """Target rows in scope that were not there before the run, copied or mirrored: a rollback is about them.

    0 while the run has no tables on the target. Raises EngineError as ``source_rows`` does.
    """
    shape = catalog.resolve(conn, move, run_uid)
    if not run_tables.exist(conn, shape):
        return 0
    return _count(conn, RollbackStatements(shape).brought())


def _count(conn: psycopg.Connection[Any], rows: sql.Composed) -> int:
    planned = conn.execute(sql.SQL("EXPLAIN (FORMAT JSON) {}").format(rows)).fetchone()
    expected = int(planned[0][0]["Plan"]["Plan Rows"]) if planned else 0
    if expected > COUNTED_ROWS:
        return expected
    counted = conn.execute(sql.SQL("SELECT count(*) FROM ({}) AS r").format(rows)).fetchone()
    return int(counted[0]) if counted else 0
