"""Step 6 of the move protocol: source and target compared row by row and column by column, in one snapshot.

A difference whose key is on the touched list is dual-write's lag and counts as *pending*; any other is
missing in the target, extra in it, or different. Values are compared exactly, except where the move
declares a tolerance for a column.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import psycopg

from migration_runs.engine import connection
from migration_runs.engine.move import catalog
from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.verify_statements import VerifyStatements
from migration_runs.engine.outcome import Difference, Verification
from migration_runs.runbook.plan import Plan

LIVE_TIMEOUT_S = 3_600.0
"""How long a verification outside of a phase may take; inside one the step's own timeout holds."""

WORKER = "verification"

WORK_MEM = "64MB"
"""For the one sort or hash of the comparison; PostgreSQL may take a small multiple of it."""


def verify(url: str, plan: Plan, run_uid: uuid.UUID, *, examples: int = 20) -> Verification:
    """Compare the two sides of the plan's move now, while everything runs. Writes nothing.

    Raises TargetUnavailable, EngineError where the tables are not what the move says, psycopg.Error.
    """
    with connection.connect(url, application_name=connection.application_name(run_uid, WORKER)) as conn:
        shape = catalog.resolve(conn, plan.runbook.move, run_uid)
        return compare(conn, shape, examples=examples, timeout_s=LIVE_TIMEOUT_S)


def compare(conn: psycopg.Connection[Any], shape: Shape, *, examples: int, timeout_s: float) -> Verification:
    """The comparison in one REPEATABLE READ, READ ONLY transaction of ``conn``."""
    started = time.perf_counter()
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        conn.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true)",
            (f"{round(timeout_s * 1000)}ms", WORK_MEM),
        )
        statements = VerifyStatements(shape, touched=has_touched(conn, shape))
        tally = {row[0]: row[1:] for row in conn.execute(statements.tally()).fetchall()}
        wrong = {kind: tally.get(kind, (0, 0, 0))[0] for kind in ("missing", "extra", "different")}
        shown: tuple[Difference, ...] = ()
        if any(wrong.values()) and examples:
            rows = conn.execute(statements.examples(examples)).fetchall()
            shown = tuple(_difference(shape, row) for row in rows)
        lowest, highest = conn.execute(statements.bounds()).fetchone() or (None, None)
    return Verification(
        source_rows=sum(row[1] for row in tally.values()),
        target_rows=sum(row[2] for row in tally.values()),
        **wrong,
        pending=tally.get("pending", (0, 0, 0))[0],
        lowest=lowest,
        highest=highest,
        seconds=time.perf_counter() - started,
        columns=tuple(shape.move.columns),
        examples=shown,
    )


def has_touched(conn: psycopg.Connection[Any], shape: Shape) -> bool:
    """Whether dual-write of this run has ever been on, so that there is a list of touched keys."""
    row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (shape.touched.as_string(conn),)).fetchone()
    return bool(row and row[0])


def _difference(shape: Shape, row: Any) -> Difference:
    kind, key, source_here, source_row, target_here, target_row = row
    columns = tuple(shape.move.columns)
    return Difference(
        key=dict(zip((part.target for part in shape.key), key, strict=True)),
        kind=kind,
        source=dict(zip(columns, source_row, strict=True)) if source_here else None,
        target=dict(zip(columns, target_row, strict=True)) if target_here else None,
    )


def in_words(found: Verification) -> str:
    """The report's figures in one sentence."""
    return (
        f"{found.source_rows} rows in the source, {found.target_rows} in the target: "
        f"{found.missing} missing, {found.extra} extra, {found.different} different, "
        f"{found.pending} still to be drained"
    )
