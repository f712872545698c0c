"""Which rows of both sides a comparison is about: all, a range of the move's order, or given keys.

A range is cut by columns of the key alone, and by one rule of order on both sides, so that the two rows of
one key always lie in the same range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import chunks, columns
from migration_runs.engine.move.names import Shape, Side
from migration_runs.engine.move.ordering import Order

ROW = "r"
"""The alias under which a side's row is known in a comparison."""


@dataclass(frozen=True)
class Places:
    """Where rows stand in the order in which buckets are cut: the same place on both sides.

    ``columns`` are its source columns, all of the key; those at the positions ``bytewise`` go by their bytes.
    """

    source: Order
    target: Order
    columns: tuple[str, ...]
    bytewise: tuple[int, ...]

    @classmethod
    def of(cls, conn: psycopg.Connection[Any], shape: Shape) -> Places:
        """The chunk column where it belongs to the key, and the key; byte by byte where collations differ."""
        move = shape.move
        names = chunks.order_columns(move)
        if move.chunk_column not in move.key:
            names = names[1:] or move.key
        keys = [next(key for key in shape.key if key.source == name) for name in names]
        pairs = [(shape.source.columns[key.source], shape.target.columns[key.target]) for key in keys]
        differ = [
            number
            for number, (left, right) in enumerate(pairs)
            if _collation(conn, shape, "source", left.name) != _collation(conn, shape, "target", right.name)
        ]
        return cls(
            source=Order(ROW, [left for left, _ in pairs], bytewise=differ),
            target=Order(ROW, [right for _, right in pairs], bytewise=differ),
            columns=tuple(names),
            bytewise=tuple(differ),
        )


def _collation(conn: psycopg.Connection[Any], shape: Shape, side: Side, column: str) -> int:
    row = conn.execute(
        statements.load("column_collation"), {"oid": shape.table(side).oid, "name": column}
    ).fetchone()
    assert row is not None  # the shape was made of this very column
    return int(row[0])


class Part:
    """All rows of the move. The base of the narrower ones."""

    def rows(self, shape: Shape, side: Side) -> sql.Composable:
        """The condition on a row of that side."""
        return columns.source_rows(shape, ROW) if side == "source" else columns.target_scope(shape, ROW)

    def query(self, shape: Shape, side: Side) -> sql.Composed:
        """That side's rows in the target's columns, for a FROM clause."""
        return statements.compose(
            "verify_side", image=_image(shape, side), table=shape.table(side).sql, rows=self.rows(shape, side)
        )


@dataclass(frozen=True)
class Range(Part):
    """Rows in ``(lo, hi]``; None leaves that end open."""

    places: Places
    lo: chunks.Bound | None
    hi: chunks.Bound | None

    def rows(self, shape: Shape, side: Side) -> sql.Composable:
        """The condition on a row of that side."""
        order = self.places.source if side == "source" else self.places.target
        return columns.both([super().rows(shape, side), order.within(self.lo, self.hi)])


@dataclass(frozen=True)
class Keys(Part):
    """Rows with one of the keys of ``listed``, a FROM item ``... AS k (k1, k2 ...)`` without doubles."""

    listed: sql.Composable

    @classmethod
    def given(cls, shape: Shape, keys: list[tuple[str, ...]]) -> Keys:
        """These keys, as texts."""
        arrays = [
            sql.SQL("{}::text[]::{}[]").format(
                sql.Literal([key[number] for key in keys]), columns.trusted(column.type)
            )
            for number, column in enumerate(shape.key)
        ]
        return cls(
            sql.SQL("unnest({}) AS k ({})").format(columns.comma(arrays), columns.key_list(shape, None))
        )

    def query(self, shape: Shape, side: Side) -> sql.Composed:
        """That side's rows, each key looked up by itself."""
        return statements.compose(
            "verify_side_by_keys",
            image=_image(shape, side),
            keys=self.listed,
            table=shape.table(side).sql,
            row_key=columns.key_match(shape, ROW, side, "k", None),
            rows=self.rows(shape, side),
        )


def _image(shape: Shape, side: Side) -> sql.Composed:
    made = columns.image(shape, ROW) if side == "source" else columns.target_row(shape, ROW)
    return columns.comma(
        sql.SQL("{} AS {}").format(value, sql.Identifier(name)) for name, value in made.items()
    )


ALL: Part = Part()
