"""Statements that PostgreSQL refuses inside a transaction: an index built or dropped CONCURRENTLY.

They cannot carry their own ledger record, so the runner writes the intent first, and whoever takes over
looks at what is there: an invalid leftover index is dropped before it is built again, a valid one is kept.
A session lock per run keeps a successor from starting while a predecessor's statement still runs; it is no
snapshot, so the concurrent build does not wait for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine import ledger, script, statements, timeouts
from migration_runs.engine.steps.base import StepContext
from migration_runs.exceptions import StepFailed, StopRequested
from migration_runs.runbook.base import SqlFile

WAIT_S = 0.2

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_CREATE = re.compile(
    rf"^\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<index>{_NAME})\s+ON\s+"
    rf"(?:ONLY\s+)?(?P<table>(?:{_NAME}\.)?{_NAME})",
    re.IGNORECASE,
)
_GONE = frozenset({"42704", "42P01"})  # undefined_object, undefined_table


@dataclass(frozen=True)
class _Index:
    schema: str
    name: str
    valid: bool


def apply(ctx: StepContext, file: SqlFile) -> list[script.Row]:
    """Execute the file's single statement. A valid index of an earlier attempt is taken as done.

    Raises StepFailed when the index turns out invalid, SqlFailed when PostgreSQL refuses the statement.
    """
    with ctx.connect() as conn, _alone(ctx, conn), _timeouts(ctx, conn):
        index = _index_of(file)
        if index is not None:
            found = _find(conn, *index)
            if found is not None and found.valid and ctx.begun:
                return []
            if found is not None and not found.valid:
                ctx.reporter.log("warn", f"dropping the invalid leftover {found.name}", step=ctx.step.key)
                _drop(conn, found)
        rows = script.execute(conn, file, ctx.job.plan.parameters)
        if index is not None:
            found = _find(conn, *index)
            if found is None or not found.valid:
                raise StepFailed(f"{file.path}: the index {index[0]} is not valid after it was built")
        return rows


def undo(ctx: StepContext, file: SqlFile) -> None:
    """Execute an undo file; where the step was only begun, an object that is not there is no error."""
    with ctx.connect() as conn, _alone(ctx, conn), _timeouts(ctx, conn):
        try:
            if script.needs_no_transaction(file):
                script.execute(conn, file, ctx.job.plan.parameters)
            else:
                with ledger.fenced(conn, ctx.job):
                    script.execute(conn, file, ctx.job.plan.parameters)
        except script.SqlFailed as error:
            if error.sqlstate not in _GONE or ctx.applied:
                raise


@contextmanager
def _alone(ctx: StepContext, conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Prove the token, and wait until no predecessor's statement of this run is running."""
    key = f"phasegate:{ctx.job.run_uid}:outside"
    told = False
    while True:
        row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key]).fetchone()
        if row is not None and row[0]:
            break
        if not told:
            ctx.reporter.log("info", "waiting: an earlier worker's statement still runs", step=ctx.step.key)
            told = True
        ctx.reporter.beat()
        if ctx.reporter.stop_requested():
            raise StopRequested("stopped while the statement of an earlier worker was still running")
        time.sleep(WAIT_S)
    with ledger.fenced(conn, ctx.job):
        pass  # raises Fenced for a token that is no longer the run's
    yield  # the lock goes with the session


def _timeouts(ctx: StepContext, conn: psycopg.Connection[Any]) -> AbstractContextManager[None]:
    step = ctx.step
    return timeouts.timeouts(conn, lock_ms=step.lock_timeout_ms, statement_s=step.statement_timeout_s)


def _index_of(file: SqlFile) -> tuple[str, str] | None:
    """Name of the index and of its table, as written, when the file builds one concurrently."""
    found = _CREATE.match(script.without_comments(file.text))
    return (found["index"], found["table"]) if found else None


def _find(conn: psycopg.Connection[Any], index: str, table: str) -> _Index | None:
    row = conn.execute(statements.load("index_validity"), {"index": index, "table": table}).fetchone()
    return _Index(schema=row[0], name=row[1], valid=row[2]) if row else None


def _drop(conn: psycopg.Connection[Any], index: _Index) -> None:
    name = sql.Identifier(index.schema, index.name)
    conn.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))
