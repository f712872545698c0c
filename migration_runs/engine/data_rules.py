"""Asking the rules about the data: which rows break them. Rows stay in the database, but for the first few.

What breaks a rule is asked for twice, and only what breaks it both times counts: a feed that writes a thing
in two transactions is not wrong between them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migration_runs.engine import script
from migration_runs.engine.move import locking
from migration_runs.engine.move.names import Shape
from migration_runs.engine.outcome import RuleFound
from migration_runs.exceptions import EngineError, StepFailed
from migration_runs.runbook.data_rules import Rule
from migration_runs.runbook.plan import Plan

TIMEOUT_S = 30.0
MOST_KEYS = 1_000
"""So many rows that break a rule are told apart; where more do, the second look's number counts."""

PAUSE_S = 2.0
DETAIL = "detail"
NO_WAIT = "SELECT set_config('statement_timeout', %s, true), set_config('cursor_tuple_fraction', '1', true)"

Row = dict[str, Any]


@dataclass(frozen=True)
class Offending:
    """How many rows break the rule, and the first ``MOST_KEYS`` of them."""

    number: int
    rows: tuple[Row, ...]


def run(
    conn: psycopg.Connection[Any],
    plan: Plan,
    shape: Shape,
    rule: Rule,
    *,
    lo: str | None = None,
    hi: str | None = None,
) -> RuleFound:
    """Ask one rule, between two values of the chunk column or of everything.

    Raises psycopg.Error where the target is away or a lock was in the way; what is wrong with the rule
    itself, or takes too long, is its result.
    """
    started = time.monotonic()
    of = shape.source.columns[shape.move.chunk_column].type
    given = {**plan.parameters, "lo": script.Typed(lo, of), "hi": script.Typed(hi, of)}
    try:
        first = _look(conn, rule, given)
        if first.number:
            time.sleep(PAUSE_S)
            first = _both(first, _look(conn, rule, given))
        error = ""
    except EngineError as failed:
        if isinstance(failed.__cause__, (*locking.GAVE_WAY, psycopg.OperationalError)) and not isinstance(
            failed.__cause__, psycopg.errors.QueryCanceled
        ):
            raise failed.__cause__ from failed
        first, error = Offending(0, ()), str(failed)
    return RuleFound(
        key=rule.key,
        title=rule.title,
        severity=rule.severity,
        offending=first.number,
        examples=tuple(_texts(row) for row in first.rows[: rule.examples]),
        seconds=time.monotonic() - started,
        error=error,
    )


def ask(conn: psycopg.Connection[Any], rule: Rule, given: Mapping[str, Any]) -> Offending:
    """The rows that break the rule, in the caller's transaction. Raises SqlFailed, StepFailed."""
    query = script.merge(conn, rule.sql, given)
    try:
        conn.execute(f"DECLARE phasegate_rule NO SCROLL CURSOR FOR {query}".encode())
        with conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(f"FETCH FORWARD {MOST_KEYS} FROM phasegate_rule".encode())
            if DETAIL not in {column.name for column in cursor.description or ()}:
                raise StepFailed(f"{rule.sql.path} must return the column detail beside the row's key")
            rows = tuple(cursor.fetchall())
            more = cursor.execute("MOVE FORWARD ALL FROM phasegate_rule").rowcount
        conn.execute("CLOSE phasegate_rule")
    except psycopg.Error as error:
        raise script.failure(error, rule.sql, query) from error
    return Offending(len(rows) + more, rows)


def _look(conn: psycopg.Connection[Any], rule: Rule, given: Mapping[str, Any]) -> Offending:
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        conn.execute(NO_WAIT, (f"{round(TIMEOUT_S * 1000)}ms",))
        return ask(conn, rule, given)


def _both(first: Offending, second: Offending) -> Offending:
    if max(first.number, second.number) > MOST_KEYS:
        return second
    before = {_key(row) for row in first.rows}
    rows = tuple(row for row in second.rows if _key(row) in before)
    return Offending(len(rows), rows)


def _key(row: Row) -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, text in _texts(row).items() if name != DETAIL)


def _texts(row: Row) -> dict[str, str]:
    return {name: "" if value is None else str(script.jsonable(value)) for name, value in row.items()}
