"""Statements that PostgreSQL refuses inside a transaction: an index built or dropped CONCURRENTLY.

They cannot carry their own ledger record. So before one is executed, the ledger is told what is there now:
which valid index of that name, or none. Whoever takes over compares: an index that was not there then is this
run's, one that was there is somebody else's and is neither taken for a result nor dropped by a rollback, and
one that is gone was dropped by this run. An invalid leftover is dropped before it is built again.
A session lock per run keeps a successor from starting while a predecessor's statement still runs; it is no
snapshot, so the concurrent build does not wait for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
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
FOUND = "index_before"
"""Where the ledger's details keep the oid of the valid index that was there before the statement, or None."""

FOUND_AT_UNDO = "index_before_undo"
"""The same, before the undo file's statement."""

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_CREATE = re.compile(
    rf"^\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<index>{_NAME})\s+ON\s+"
    rf"(?:ONLY\s+)?(?P<table>(?:{_NAME}\.)?{_NAME})",
    re.IGNORECASE,
)
_DROP = re.compile(
    rf"^\s*DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?(?P<index>(?:{_NAME}\.)?{_NAME})", re.IGNORECASE
)

_GONE = frozenset({"42704", "42P01"})  # undefined_object, undefined_table


@dataclass(frozen=True)
class _Index:
    oid: int
    schema: str
    name: str
    valid: bool


def apply(ctx: StepContext, file: SqlFile) -> tuple[list[script.Row], dict[str, Any]]:
    """Execute the file's single statement, or find that an earlier attempt has; its rows, and what the ledger
    has to keep for the undo.

    Raises StepFailed when the index turns out invalid, SqlFailed when PostgreSQL refuses the statement.
    """
    with ctx.connect() as conn, _alone(ctx, conn), _timeouts(ctx, conn):
        kept = _kept(ctx, conn)
        found = _find(conn, file)
        if FOUND in kept and _is_done(file, found, kept[FOUND]):
            return [], {FOUND: kept[FOUND]}
        if found is not None and not found.valid and _CREATE.match(_text(file)):
            ctx.reporter.log("warn", f"dropping the invalid leftover {found.name}", step=ctx.step.key)
            _drop(conn, found)
            found = None
        before = {FOUND: found.oid if found is not None else None}
        _intend(ctx, conn, ledger.mark_intent, {**kept, **before})
        rows = script.execute(conn, file, ctx.job.plan.parameters)
        if _CREATE.match(_text(file)):
            found = _find(conn, file)
            if found is None or not found.valid:
                raise StepFailed(f"{file.path}: the index is not valid after it was built")
        return rows, before


def has_happened(ctx: StepContext, file: SqlFile) -> bool:
    """Whether an earlier attempt of this step has executed the file's statement to its end."""
    with ctx.connect() as conn:
        kept = _kept(ctx, conn)
        return FOUND in kept and _is_done(file, _find(conn, file), kept[FOUND])


def undo(ctx: StepContext, applied: SqlFile, file: SqlFile) -> bool:
    """Execute the undo file of a step that executed ``applied``; False when there was nothing of this run.

    Nothing is done where the statement was never begun, or where the index was there before it. Where it was
    begun and not finished, an object that is not there is no error; nor where an earlier undo has dropped it.
    """
    with ctx.connect() as conn, _alone(ctx, conn), _timeouts(ctx, conn):
        kept = _kept(ctx, conn)
        if (not ctx.applied and FOUND not in kept) or _is_as_before(conn, applied, kept):
            return False
        if not script.needs_no_transaction(file):
            with ledger.fenced(conn, ctx.job):
                script.execute(conn, file, ctx.job.plan.parameters)
                ledger.mark_undone(conn, ctx.job, phase=ctx.phase, step_key=ctx.step.key)
            return True
        found = _find(conn, file)
        if FOUND_AT_UNDO in kept and _is_done(file, found, kept[FOUND_AT_UNDO]):
            return True
        if _CREATE.match(_text(file)) and found is not None and not found.valid:
            _drop(conn, found)
            found = None
        before = {FOUND_AT_UNDO: found.oid if found is not None else None}
        _intend(ctx, conn, ledger.mark_undoing, {**kept, **before})
        try:
            script.execute(conn, file, ctx.job.plan.parameters)
        except script.SqlFailed as error:
            if error.sqlstate not in _GONE or ctx.applied:
                raise
        return True


def _is_done(file: SqlFile, found: _Index | None, before: int | None) -> bool:
    """Whether the statement has had its effect since the index was ``before``."""
    if _CREATE.match(_text(file)):
        return found is not None and found.valid and found.oid != before
    if _DROP.match(_text(file)):
        return before is not None and found is None
    return False


def _is_as_before(conn: psycopg.Connection[Any], applied: SqlFile, kept: dict[str, Any]) -> bool:
    """Whether the very index that was there before the step is there: somebody else's, or not dropped yet."""
    found = _find(conn, applied)
    return found is not None and found.valid and found.oid == kept.get(FOUND)


def _kept(ctx: StepContext, conn: psycopg.Connection[Any]) -> dict[str, Any]:
    """What the ledger keeps of the step now: another try of this worker may have written it."""
    known = ledger.step(conn, ctx.job.run_uid, ctx.phase, ctx.step.key)
    return known.details if known is not None else {}


def _intend(
    ctx: StepContext, conn: psycopg.Connection[Any], mark: Callable[..., None], details: dict[str, Any]
) -> None:
    with ledger.fenced(conn, ctx.job):
        mark(conn, ctx.job, phase=ctx.phase, step_key=ctx.step.key, details=details)


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


def _text(file: SqlFile) -> str:
    return script.without_comments(file.text)


def _find(conn: psycopg.Connection[Any], file: SqlFile) -> _Index | None:
    """The index that the file's statement is about, if it is there; None for another kind of statement."""
    if made := _CREATE.match(_text(file)):
        query, names = "index_validity", {"index": made["index"], "table": made["table"]}
    elif dropped := _DROP.match(_text(file)):
        query, names = "index_by_name", {"index": dropped["index"]}
    else:
        return None
    row = conn.execute(statements.load(query), names).fetchone()
    return _Index(oid=row[0], schema=row[1], name=row[2], valid=row[3]) if row else None


def _drop(conn: psycopg.Connection[Any], index: _Index) -> None:
    name = sql.Identifier(index.schema, index.name)
    conn.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))
