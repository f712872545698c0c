"""Before-images: what a step is about to replace, kept so that undoing restores it exactly.

Functions are kept with definition, owner, privileges and comment. Rows are kept before and after the step,
so that undoing gives back only the columns that the step changed: what the application wrote to the others
in between stays. Each value is kept as PostgreSQL writes it as text, which it reads back without loss.
Images are plain JSON and live in the target's ledger, written in the step's transaction.
"""

from __future__ import annotations

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
Row = dict[str, str | None]


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
        _restore_rows(_Table(conn, entry["table"]), entry, restored)
    for entry in reversed(image["functions"]):
        function_image.restore(conn, entry)
        restored.functions += 1
    return restored


def _capture_rows(conn: psycopg.Connection[Any], wanted: RowsOf) -> Image:
    table = _Table(conn, wanted.table)
    before = table.select(table.where(wanted.where))
    if len(before) > MAX_IMAGE_ROWS:
        raise StepFailed(
            f"a before-image keeps at most {MAX_IMAGE_ROWS} rows; {wanted.table} has more of them"
        )
    return {"table": wanted.table, "where": dict(wanted.where), "before": before}


def _with_after(conn: psycopg.Connection[Any], entry: Image) -> Image:
    """Rows that the image's condition selects now, and those that it selected before, by their key."""
    table = _Table(conn, entry["table"])
    after = table.select(table.where(entry["where"]))
    seen = {table.identity(row) for row in after}
    for row in entry["before"]:
        if table.identity(row) not in seen:
            after += table.select(table.same(row))
    return {**entry, "after": after}


def _restore_rows(table: _Table, entry: Image, restored: Restored) -> None:
    before = {table.identity(row): row for row in entry["before"]}
    after = {table.identity(row): row for row in entry["after"]}
    for identity, row in after.items():
        if identity not in before:
            restored.rows += table.delete(row)
    for identity, row in before.items():
        if identity not in after:
            restored.rows += table.insert(row)
            continue
        left = after[identity]
        changed = {
            name: value for name, value in row.items() if value != left.get(name) and name in table.types
        }
        if not changed:
            continue
        for now in table.select(table.same(row)):
            if lost := {name: now[name] for name in changed if now[name] != left.get(name)}:
                restored.overwritten.append({"table": entry["table"], "key": list(identity), "values": lost})
        restored.rows += table.update(row, changed)


class _Table:
    """A table whose rows are read and written as text, column by column, found by primary key."""

    def __init__(self, conn: psycopg.Connection[Any], name: str) -> None:
        with conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(statements.load("row_image_columns"), {"table": statements.quoted(name)})
            columns = cursor.fetchall()
        if not columns:
            raise StepFailed(f"there is no table {name} to keep rows of")
        self.conn = conn
        self.relation = statements.relation(name)
        self.types: dict[str, str] = {column["name"]: column["type"] for column in columns}
        self.key: list[str] = [column["name"] for column in columns if column["in_key"]]
        if not self.key:
            raise StepFailed(f"a before-image of rows needs a primary key, and {name} has none")

    def identity(self, row: Row) -> tuple[str | None, ...]:
        """The row's key."""
        return tuple(row[name] for name in self.key)

    def where(self, values: dict[str, Any]) -> sql.Composable:
        """The condition of a ``RowsOf``."""
        parts = [
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
            for name, value in values.items()
        ]
        return sql.SQL(" AND ").join(parts) if parts else sql.SQL("true")

    def same(self, row: Row) -> sql.Composable:
        """The condition that finds this row again."""
        parts = [sql.SQL("{} = {}").format(sql.Identifier(name), self._value(name, row)) for name in self.key]
        return sql.SQL(" AND ").join(parts)

    def select(self, condition: sql.Composable) -> list[Row]:
        """Rows as text, locked, in key order."""
        texts = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in self.types]
        query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT {} FOR UPDATE").format(
            sql.SQL(", ").join(texts),
            self.relation,
            condition,
            sql.SQL(", ").join(map(sql.Identifier, self.key)),
            sql.Literal(MAX_IMAGE_ROWS + 1),
        )
        return [dict(zip(self.types, row, strict=True)) for row in self.conn.execute(query).fetchall()]

    def delete(self, row: Row) -> int:
        """Delete the row; how many were."""
        query = sql.SQL("DELETE FROM {} WHERE {}").format(self.relation, self.same(row))
        return self.conn.execute(query).rowcount

    def insert(self, row: Row) -> int:
        """Insert the row as it was, identity columns included."""
        names = [name for name in row if name in self.types]
        query = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            self.relation,
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(self._value(name, row) for name in names),
        )
        return self.conn.execute(query).rowcount

    def update(self, row: Row, changed: Row) -> int:
        """Give the row's columns in ``changed`` these values."""
        query = sql.SQL("UPDATE {} SET {} WHERE {}").format(
            self.relation,
            sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), self._value(name, changed))
                for name in changed
            ),
            self.same(row),
        )
        return self.conn.execute(query).rowcount

    def _value(self, name: str, row: Row) -> sql.Composable:
        """A literal of the column's own type, whose name the catalog gives as PostgreSQL quotes it."""
        literal = sql.Literal(row[name]).as_string(self.conn)
        return _Verbatim(f"CAST({literal} AS {self.types[name]})")


class _Verbatim(sql.Composable):
    """SQL made here of a quoted literal and a type's name from the catalog."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def as_bytes(self, context: Any = None) -> bytes:  # noqa: ARG002  (the context is in the literal already)
        """The text as it is."""
        return self.text.encode()
