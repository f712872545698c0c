"""Before-images: what a step is about to replace, kept so that undoing restores it exactly.

Functions are kept with definition, owner, privileges and comment. Rows are kept before and after the step,
so that undoing gives back only the columns that the step changed: what the application wrote to the others
in between stays. Images are plain JSON and live in the target's ledger, written in the step's transaction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from migration_runs.engine import function_image, statements
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import BeforeImageOf, RowsOf

MAX_IMAGE_ROWS = 10_000

Image = dict[str, Any]


@dataclass
class Restored:
    """What was put back. ``overwritten``: values that the application had written to a restored column."""

    functions: int = 0
    rows: int = 0
    overwritten: list[dict[str, Any]] = field(default_factory=list)


def capture(conn: psycopg.Connection[Any], wanted: BeforeImageOf) -> Image:
    """The image of everything ``wanted`` names, as it is now. Rows stay locked until the transaction ends.

    Raises StepFailed for a table that does not exist, has no primary key, or has more than
    ``MAX_IMAGE_ROWS`` such rows.
    """
    return {
        "functions": [function_image.capture(conn, signature) for signature in wanted.functions],
        "rows": [_capture_rows(conn, rows) for rows in wanted.rows],
    }


def complete(conn: psycopg.Connection[Any], image: Image) -> Image:
    """The image with the rows' state after the step added; called at the end of the step's transaction."""
    return {**image, "rows": [_with_after(conn, entry) for entry in image["rows"]]}


def restore(conn: psycopg.Connection[Any], image: Image) -> Restored:
    """Put back what the image holds, in the caller's transaction. Raises psycopg.Error."""
    restored = Restored()
    for entry in reversed(image["rows"]):
        _restore_rows(conn, entry, restored)
    for entry in reversed(image["functions"]):
        function_image.restore(conn, entry)
        restored.functions += 1
    return restored


def _capture_rows(conn: psycopg.Connection[Any], wanted: RowsOf) -> Image:
    columns = _columns(conn, wanted.table)
    key = [name for name, in_key in columns if in_key]
    if not key:
        raise StepFailed(f"a before-image of rows needs a primary key, and {wanted.table} has none")
    condition = sql.SQL(" AND ").join(
        sql.SQL("t.{} = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in wanted.where.items()
    )
    query = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t WHERE {} ORDER BY {} LIMIT {} FOR UPDATE").format(
        statements.relation(wanted.table),
        condition if wanted.where else sql.SQL("true"),
        sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in key),
        sql.Literal(MAX_IMAGE_ROWS + 1),
    )
    before = [row[0] for row in conn.execute(query).fetchall()]
    if len(before) > MAX_IMAGE_ROWS:
        raise StepFailed(
            f"a before-image keeps at most {MAX_IMAGE_ROWS} rows; {wanted.table} has more of them"
        )
    return {"table": wanted.table, "where": dict(wanted.where), "key": key, "before": before}


def _with_after(conn: psycopg.Connection[Any], entry: Image) -> Image:
    """Rows that the image's condition selects now, and those it selected before, by their key."""
    table = statements.relation(entry["table"])
    condition = sql.SQL(" AND ").join(
        sql.SQL("t.{} = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in entry["where"].items()
    )
    query = sql.SQL(
        "SELECT to_jsonb(t)::text FROM {table} AS t WHERE ({condition}) OR EXISTS ("
        "SELECT 1 FROM jsonb_populate_recordset(NULL::{table}, %(before)s::jsonb) AS b WHERE {same})"
    ).format(
        table=table,
        condition=condition if entry["where"] else sql.SQL("true"),
        same=_same_key(entry["key"], "t", "b"),
    )
    rows = conn.execute(query, {"before": f"[{','.join(entry['before'])}]"}).fetchall()
    return {**entry, "after": [row[0] for row in rows]}


def _restore_rows(conn: psycopg.Connection[Any], entry: Image, restored: Restored) -> None:
    before = {_identity(text, entry["key"]): text for text in entry["before"]}
    after = {_identity(text, entry["key"]): text for text in entry["after"]}
    writable = [name for name, _ in _columns(conn, entry["table"])]
    for identity, text in after.items():
        if identity not in before:
            restored.rows += _delete(conn, entry, text)
    for identity, text in before.items():
        wanted = _parse(text)
        if identity not in after:
            restored.rows += _insert(conn, entry, [name for name in writable if name in wanted], text)
            continue
        left = _parse(after[identity])
        changed = [name for name in writable if name in wanted and wanted[name] != left.get(name)]
        if changed:
            _note_overwritten(conn, entry, changed, after[identity], restored)
            restored.rows += _update(conn, entry, changed, text)


def _note_overwritten(
    conn: psycopg.Connection[Any], entry: Image, changed: list[str], after: str, restored: Restored
) -> None:
    """Keep what the application wrote, since the step, to a column that is about to be restored."""
    query = sql.SQL(
        "SELECT to_jsonb(t)::text FROM {table} AS t "
        "JOIN jsonb_populate_record(NULL::{table}, %(row)s::jsonb) AS b ON {same} FOR UPDATE OF t"
    ).format(table=statements.relation(entry["table"]), same=_same_key(entry["key"], "t", "b"))
    found = conn.execute(query, {"row": after}).fetchone()
    if found is None:
        return
    now, left = _parse(found[0]), _parse(after)
    if any(now.get(name) != left.get(name) for name in changed):
        values = json.loads(found[0])
        restored.overwritten.append(
            {
                "table": entry["table"],
                "key": {name: values[name] for name in entry["key"]},
                "values": {name: values.get(name) for name in changed},
            }
        )


def _delete(conn: psycopg.Connection[Any], entry: Image, row: str) -> int:
    query = sql.SQL(
        "DELETE FROM {table} AS t USING jsonb_populate_record(NULL::{table}, %(row)s::jsonb) AS b "
        "WHERE {same}"
    ).format(table=statements.relation(entry["table"]), same=_same_key(entry["key"], "t", "b"))
    return conn.execute(query, {"row": row}).rowcount


def _insert(conn: psycopg.Connection[Any], entry: Image, columns: list[str], row: str) -> int:
    query = sql.SQL(
        "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "
        "SELECT {values} FROM jsonb_populate_record(NULL::{table}, %(row)s::jsonb) AS b"
    ).format(
        table=statements.relation(entry["table"]),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(sql.Identifier("b", column) for column in columns),
    )
    return conn.execute(query, {"row": row}).rowcount


def _update(conn: psycopg.Connection[Any], entry: Image, columns: list[str], row: str) -> int:
    query = sql.SQL(
        "UPDATE {table} AS t SET {assignments} "
        "FROM jsonb_populate_record(NULL::{table}, %(row)s::jsonb) AS b WHERE {same}"
    ).format(
        table=statements.relation(entry["table"]),
        assignments=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(column), sql.Identifier("b", column))
            for column in columns
        ),
        same=_same_key(entry["key"], "t", "b"),
    )
    return conn.execute(query, {"row": row}).rowcount


def _same_key(key: list[str], left: str, right: str) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name)) for name in key
    )


def _columns(conn: psycopg.Connection[Any], table: str) -> list[tuple[str, bool]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("row_image_columns"), {"table": statements.quoted(table)})
        rows = cursor.fetchall()
    if not rows:
        raise StepFailed(f"there is no table {table} to keep rows of")
    return [(row["name"], row["in_key"]) for row in rows]


def _parse(text: str) -> dict[str, Any]:
    """A row's columns. Numbers stay as they are written: a float would not hold every digit of a numeric."""
    found: dict[str, Any] = json.loads(text, parse_float=_digits, parse_int=_digits)
    return found


def _identity(text: str, key: list[str]) -> tuple[str, ...]:
    row = _parse(text)
    return tuple(repr(row[name]) for name in key)


def _digits(text: str) -> tuple[str, str]:
    return "number", text
