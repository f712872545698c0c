"""The order in which a move's rows are walked through, as SQL on either side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from psycopg import sql

from migration_runs.engine.move import chunks, columns
from migration_runs.engine.move.names import Column, Shape


class Order:
    """Columns of the table that ``alias`` stands for; together unique among the move's rows.

    Those at the positions ``bytewise`` are ordered by their bytes: their collation is not the other side's.
    """

    def __init__(self, alias: str, of: Sequence[Column], *, bytewise: Sequence[int] = ()) -> None:
        self._alias = alias
        self._of = tuple(of)
        self._bytewise = frozenset(bytewise)

    @classmethod
    def of_source(cls, shape: Shape, alias: str) -> Self:
        """The order in which history is copied: the chunk column, then the key."""
        return cls(alias, [shape.source.columns[name] for name in chunks.order_columns(shape.move)])

    def on_target(self, shape: Shape, alias: str) -> Order | None:
        """The same order on the target; None where the target has not all of its columns unchanged."""
        plain = {made_of: name for name, made_of in shape.move.columns.items() if isinstance(made_of, str)}
        if not all(column.name in plain for column in self._of):
            return None
        return Order(alias, [shape.target.columns[plain[column.name]] for column in self._of])

    @classmethod
    def of_target_key(cls, shape: Shape, alias: str) -> Self:
        """The order of the target's key, which the target has whatever the source is cut by."""
        free = [key for key in shape.key if key.source not in shape.move.scope] or list(shape.key)
        return cls(alias, [shape.target.columns[key.target] for key in free])

    @property
    def by(self) -> sql.Composed:
        """For ORDER BY."""
        return columns.comma(self._parts())

    @property
    def by_down(self) -> sql.Composed:
        """For ORDER BY, last row first."""
        return columns.comma(sql.SQL("{} DESC").format(part) for part in self._parts())

    @property
    def text(self) -> sql.Composed:
        """A row's place as texts, by commas, as bounds keep it."""
        return columns.comma(
            sql.SQL("{}::text").format(columns.column(self._alias, column.name)) for column in self._of
        )

    def within(self, lo: chunks.Bound | None, hi: chunks.Bound | None) -> sql.Composable:
        """Whether a row lies in ``(lo, hi]``; None leaves that end open."""
        return columns.both(
            self._compared(how, bound) for how, bound in ((">", lo), ("<=", hi)) if bound is not None
        )

    def _compared(self, how: str, bound: chunks.Bound) -> sql.Composable:
        right = columns.comma(columns.value(text, of) for text, of in zip(bound, self._of, strict=True))
        return sql.SQL("({}) {} ({})").format(columns.comma(self._parts()), columns.trusted(how), right)

    def _parts(self) -> list[sql.Composable]:
        plain = [columns.column(self._alias, column.name) for column in self._of]
        return [
            sql.SQL('{} COLLATE "C"').format(part) if number in self._bytewise else part
            for number, part in enumerate(plain)
        ]
