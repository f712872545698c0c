"""Comparing under one snapshot: source and target row by row, column by column, as they were at one moment.

A difference whose key is on the touched list is dual-write's lag and counts as *pending*; any other is
missing in the target, extra in it, or different. Values are compared exactly, except where the move
declares a tolerance for a column.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg

from migration_runs.engine import connection
from migration_runs.engine.move import catalog
from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.parts import Part
from migration_runs.engine.move.verify_statements import VerifyStatements
from migration_runs.engine.outcome import Difference
from migration_runs.exceptions import EngineError
from migration_runs.runbook.plan import Plan

WORKER = "verification"

WORK_MEM = "64MB"
"""For the one sort or hash of the comparison; PostgreSQL may take a small multiple of it."""

OVERDUE_S = 180.0
"""Seconds after which a key that waits to be drained is no lag any more: three sweeps at their default."""

EXAMPLES = 20


@contextlib.contextmanager
def session(
    url: str, plan: Plan, run_uid: uuid.UUID, *, worker: str = WORKER
) -> Iterator[tuple[psycopg.Connection[Any], Shape]]:
    """A session that compares, and the move's shape there.

    Raises TargetUnavailable, EngineError where the tables are not what the move says, or on a standby: its
    copy of the rows is as old as its replay, and the panel could not note there what it has seen.
    """
    with connection.connect(url, application_name=connection.application_name(run_uid, worker)) as conn:
        row = conn.execute("SELECT pg_is_in_recovery()").fetchone()
        if row is None or row[0]:
            raise EngineError(
                "the target is a standby: source and target are compared on the primary only",
                kept="everything; nothing was compared",
                next_step="let the target's URL name the primary, then retry",
            )
        yield conn, catalog.resolve(conn, plan.runbook.move, run_uid)


class Snapshot:
    """An open comparing transaction, which ends by the statement timeout when it becomes too old."""

    def __init__(self, conn: psycopg.Connection[Any], *, timeout_s: float) -> None:
        self._conn = conn
        self._until = time.monotonic() + timeout_s

    def rows(self, query: Any) -> list[Any]:
        """The rows of a query, in what is left of the time."""
        left_ms = max(1, round((self._until - time.monotonic()) * 1000))
        self._conn.execute("SELECT set_config('statement_timeout', %s, true)", (f"{left_ms}ms",))
        return self._conn.execute(query).fetchall()

    def compare(self, shape: Shape, *, part: Part, examples: int, overdue_s: float) -> dict[str, Any]:
        """The figures of a :class:`Verification`; which kinds of differences, only where there is one."""
        say = VerifyStatements(shape, touched=has_touched(self._conn, shape), part=part)
        source, target, equal = self.rows(say.quick())[0]
        found: dict[str, Any] = {"source_rows": source, "target_rows": target}
        found |= dict.fromkeys(("missing", "extra", "different", "pending"), 0)
        found |= {"lowest": None, "highest": None, "columns": tuple(shape.move.columns)}
        if source == target == equal:
            return found
        for state, number, _, _, waited, overdue in self.rows(say.tally(overdue_s=overdue_s)):
            if state == "pending":
                found |= {"pending_s": float(waited or 0.0), "overdue": overdue}
            if state != "equal":
                found[state] = number
        if examples and found["missing"] + found["extra"] + found["different"]:
            rows = self.rows(say.examples(examples))
            found["examples"] = tuple(_difference(shape, row) for row in rows)
        return found

    def digests(self, shape: Shape, part: Part) -> tuple[tuple[int, str], tuple[int, str]]:
        """Rows and digest of the source, and of the target."""
        row = self.rows(VerifyStatements(shape, touched=False, part=part).digests())[0]
        return (row[0], row[1]), (row[2], row[3])

    def differing_keys(self, shape: Shape, part: Part, *, limit: int) -> list[tuple[str, ...]]:
        """Keys that differ without a reason, as texts, ``limit`` at most."""
        say = VerifyStatements(shape, touched=has_touched(self._conn, shape), part=part)
        return [tuple(row[0]) for row in self.rows(say.keys(limit))]

    def bounds(self, shape: Shape) -> tuple[str | None, str | None]:
        """Lowest and highest value of the source's chunk column."""
        row = self.rows(VerifyStatements(shape, touched=False).bounds())[0]
        return row[0], row[1]


@contextlib.contextmanager
def snapshot(conn: psycopg.Connection[Any], *, timeout_s: float) -> Iterator[Snapshot]:
    """One snapshot in a transaction that cannot write."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        conn.execute("SELECT set_config('work_mem', %s, true)", (WORK_MEM,))
        yield Snapshot(conn, timeout_s=timeout_s)


def has_touched(conn: psycopg.Connection[Any], shape: Shape) -> bool:
    """Whether dual-write of this run has ever been on, so that there is a list of touched keys."""
    row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (shape.touched.as_string(conn),)).fetchone()
    return bool(row and row[0])


def _difference(shape: Shape, row: Any) -> Difference:
    kind, key, differing, source_here, source_row, target_here, target_row = row
    columns = tuple(shape.move.columns)
    return Difference(
        key=dict(zip((part.target for part in shape.key), key, strict=True)),
        kind=kind,
        source=dict(zip(columns, source_row, strict=True)) if source_here else None,
        target=dict(zip(columns, target_row, strict=True)) if target_here else None,
        columns=tuple(differing),
    )
