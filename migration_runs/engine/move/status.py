"""Live figures of dual-write, for people: what is on, and how far the other side lags."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine import connection, ledger
from migration_runs.engine.job import Job
from migration_runs.engine.move import catalog, columns, run_tables, triggers
from migration_runs.engine.move.names import Shape
from migration_runs.engine.outcome import DualWriteStatus
from migration_runs.runbook.move import Move


def status(job: Job) -> DualWriteStatus:
    """The figures of the job's run. Raises TargetUnavailable, EngineError."""
    with connection.connect_job(job) as conn:
        return status_of(conn, job.plan.runbook.move, job.run_uid)


def status_of(conn: psycopg.Connection[Any], move: Move, run_uid: uuid.UUID) -> DualWriteStatus:
    """The same on an open connection. Counts rows: cheap for an index of the scope, not free."""
    shape = catalog.resolve(conn, move, run_uid)
    on = triggers.installed(conn, shape) if ledger.installed(conn) else {}
    touched, oldest = lag(conn, shape) if run_tables.exist(conn, shape) else (0, 0.0)
    row = conn.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM {} AS s WHERE {}), (SELECT count(*) FROM {} AS t WHERE {})"
        ).format(
            shape.source.sql,
            columns.source_rows(shape, "s"),
            shape.target.sql,
            columns.target_scope(shape, "t"),
        )
    ).fetchone()
    assert row is not None
    return DualWriteStatus(
        forward="forward" in on,
        reverse="reverse" in on,
        touched=touched,
        oldest_s=oldest,
        source_rows=row[0],
        target_rows=row[1],
    )


def lag(conn: psycopg.Connection[Any], shape: Shape) -> tuple[int, float]:
    """Keys on the touched list, and for how many seconds the oldest has been there."""
    row = conn.execute(
        sql.SQL(
            "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8 FROM {}"
        ).format(shape.touched)
    ).fetchone()
    return (row[0], max(0.0, row[1])) if row else (0, 0.0)
