"""Executing the SQL files of a plan, and reading what they say.

A file without ``%(name)s`` is sent as it is. One with named parameters gets the plan's values, quoted by
libpq, in the client (so that any statement may use them) and writes a literal percent sign as ``%%``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.adapt import Dumper
from psycopg.rows import dict_row

from migration_runs.engine import timeouts
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.base import SqlFile
from migration_runs.runbook.steps import StepBase

_PARAMETER = re.compile(r"%\((?P<name>\w+)\)s")
_OUTSIDE = re.compile(
    r"^\s*(?:CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY|DROP\s+INDEX\s+CONCURRENTLY|REINDEX\b.*\bCONCURRENTLY|VACUUM)\b",
    re.IGNORECASE | re.DOTALL,
)
MAX_ROWS = 1_000
Row = dict[str, Any]


class NoTime:
    """A time that is not known, as a parameter: a NULL of its type, so that ``- interval '1 h'`` works."""


@dataclass(frozen=True)
class Typed:
    """A value as text, with the SQL name of its type; None is a NULL of that type."""

    text: str | None
    type: str


class _TypedDumper(Dumper):
    def dump(self, obj: Any) -> bytes:
        return (obj.text or "").encode()

    def quote(self, obj: Any) -> bytes:
        return bytes(sql.Literal(obj.text).as_bytes()) + b"::" + str(obj.type).encode()


class _NoTimeDumper(Dumper):
    def dump(self, obj: Any) -> bytes:  # noqa: ARG002
        return b"NULL"

    def quote(self, obj: Any) -> bytes:  # noqa: ARG002
        return b"NULL::pg_catalog.timestamptz"


class SqlFailed(StepFailed):
    """A statement of a runbook's file failed. ``sqlstate`` is PostgreSQL's, None when there is none."""

    def __init__(self, message: str, *, sqlstate: str | None, kept: str = "", next_step: str = "") -> None:
        super().__init__(message, kept=kept, next_step=next_step)
        self.sqlstate = sqlstate


@dataclass(frozen=True)
class Said:
    """One row of an assertion."""

    ok: bool
    message: str


def execute(conn: psycopg.Connection[Any], file: SqlFile, parameters: Mapping[str, Any]) -> list[Row]:
    """Execute every statement of the file; the rows of the last one that returns any (at most ``MAX_ROWS``).

    The caller owns the transaction. Raises SqlFailed naming file, line and PostgreSQL's own message.
    """
    query = merge(conn, file, parameters)
    rows: list[Row] = []
    try:
        with conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(query.encode())
            while True:
                if cursor.description is not None:
                    rows = cursor.fetchmany(MAX_ROWS + 1)
                if not cursor.nextset():
                    break
    except psycopg.Error as error:
        raise failure(error, file, query) from error
    if len(rows) > MAX_ROWS:
        raise StepFailed(f"{file.path} returns more than {MAX_ROWS} rows; it should count or aggregate them")
    return rows


def merge(conn: psycopg.Connection[Any], file: SqlFile, parameters: Mapping[str, Any]) -> str:
    """The file's text with its parameters' values in place. StepFailed for one without."""
    names = {found["name"] for found in _PARAMETER.finditer(file.text)}
    if not names:
        return file.text
    if missing := sorted(names - set(parameters)):
        raise StepFailed(f"{file.path} uses parameters that have no value: {', '.join(missing)}")
    cursor = psycopg.ClientCursor(conn)
    cursor.adapters.register_dumper(NoTime, _NoTimeDumper)
    cursor.adapters.register_dumper(Typed, _TypedDumper)
    try:
        return cursor.mogrify(file.text.encode(), dict(parameters))
    except psycopg.ProgrammingError as error:
        raise StepFailed(
            f"{file.path}: {error} (in a file with parameters a literal percent sign is written %%)"
        ) from error


def failure(error: psycopg.Error, file: SqlFile, query: str) -> SqlFailed:
    """PostgreSQL's refusal of a file, in words that name the file, the line and the reason."""
    diag = error.diag
    place = file.path
    if diag.statement_position:
        place = f"{place}:{query[: int(diag.statement_position) - 1].count(chr(10)) + 1}"
    parts = [diag.message_primary or str(error).strip() or type(error).__name__]
    parts += [part for part in (diag.message_detail, diag.message_hint) if part]
    if diag.context:
        parts.append(f"in {diag.context.splitlines()[0]}")
    code = f" [{error.sqlstate}]" if error.sqlstate else ""
    return SqlFailed(f"{place}: {'; '.join(parts)}{code}", sqlstate=error.sqlstate)


def needs_no_transaction(file: SqlFile) -> bool:
    """Whether PostgreSQL refuses the file's (only) statement inside a transaction block."""
    return bool(_OUTSIDE.match(without_comments(file.text)))


def without_comments(text: str) -> str:
    """The text without whole-line ``--`` comments: enough to see how the first statement begins."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def assertion(rows: Sequence[Row], file: SqlFile) -> list[Said]:
    """What an assertion's rows say. Raises StepFailed for no row, or rows without ``ok`` or ``message``.

    An ``ok`` that is NULL is not true: what could not be decided has not been proven.
    """
    if not rows:
        raise StepFailed(f"{file.path} returned no row, so it asserts nothing")
    if not {"ok", "message"} <= set(rows[0]):
        raise StepFailed(
            f"{file.path} must return the columns ok and message; it returned {', '.join(rows[0])}"
        )
    if bad := [row["ok"] for row in rows if not isinstance(row["ok"], bool | None)]:
        raise StepFailed(f"{file.path}: ok must be a boolean; it is {bad[0]!r}")
    return [Said(ok=row["ok"] is True, message=str(row["message"])) for row in rows]


def verdict(rows: Sequence[Row], expression: str, file: SqlFile) -> None:
    """Check the boolean that a call returned about itself. Raises StepFailed unless it is true.

    ``expression`` is a column, or ``column.key`` of a jsonb value, of the only row.
    """
    if len(rows) != 1:
        raise StepFailed(f"{file.path}: its verdict must be in exactly one row; it returned {len(rows)}")
    column, _, key = expression.partition(".")
    if column not in rows[0]:
        raise StepFailed(f"{file.path} returned no column {column}; its verdict cannot be read")
    value = rows[0][column]
    if key:
        value = value.get(key) if isinstance(value, dict) else None
    if value is not True:
        raise StepFailed(f"{file.path}: its own verdict ({expression}) is {value!r}: {shorten(rows[0], 900)}")


def set_local_timeouts(conn: psycopg.Connection[Any], step: StepBase) -> None:
    """The step's lock and statement timeouts for the transaction that is open now."""
    timeouts.local(conn, lock_ms=step.lock_timeout_ms, statement_s=step.statement_timeout_s)


def jsonable(value: Any) -> Any:
    """``value`` as JSON knows it; exact numbers become text, since a float would change them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return (
            int(value)
            if value.is_finite() and value == value.to_integral_value() and abs(value) < 2**53
            else str(value)
        )
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def shorten(row: Mapping[str, Any], limit: int = 400) -> str:
    """A row for people: ``column=value`` pairs, those of an object with the object's name before them.

    At most ``limit`` characters: whole pairs as far as there is room, then how many more there are.
    """
    pairs = [f"{name}={value}" for name, value in _pairs(row)]
    shown: list[str] = []
    for pair in pairs:
        if sum(len(one) + 2 for one in shown) + len(pair) > limit:
            break
        shown.append(pair)
    if not shown and pairs:
        return f"{pairs[0][:limit]}…"
    left = len(pairs) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name}={told}" for name, told in _pairs(value)) + ")"
    return str(jsonable(value))


def _pairs(values: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _pairs(value, f"{within}{name}.")
        elif isinstance(value, bool):
            yield f"{within}{name}", "yes" if value else "no"
        elif isinstance(value, list | tuple):
            yield f"{within}{name}", " ".join(_told(one) for one in value) or "none"
        else:
            yield f"{within}{name}", "nothing" if value is None else str(jsonable(value))
