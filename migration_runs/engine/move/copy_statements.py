"""The copier's statements for one move, made from ``sql/copy_*.sql`` and the move's shape."""

from __future__ import annotations

import uuid

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import chunks, columns
from migration_runs.engine.move.names import Column, Shape

Query = sql.Composed


class Order:
    """The move's order of rows: source columns, and target columns where all of them are mapped unchanged."""

    def __init__(self, shape: Shape) -> None:
        self.source: tuple[Column, ...] = tuple(
            shape.source.columns[name] for name in chunks.order_columns(shape.move)
        )
        plain = {made_of: name for name, made_of in shape.move.columns.items() if isinstance(made_of, str)}
        self.target: tuple[Column, ...] | None = None
        if all(column.name in plain for column in self.source):
            self.target = tuple(shape.target.columns[plain[column.name]] for column in self.source)

    def of(self, alias: str) -> list[sql.Composable]:
        """The order's columns of a source row."""
        return [columns.column(alias, column.name) for column in self.source]

    def by(self, alias: str) -> Query:
        """For ORDER BY."""
        return columns.comma(self.of(alias))

    def by_down(self, alias: str) -> Query:
        """For ORDER BY, last row first."""
        return columns.comma(sql.SQL("{} DESC").format(part) for part in self.of(alias))

    def text(self, alias: str) -> Query:
        """The place of a source row as texts, by commas, as bounds keep it."""
        return columns.comma(sql.SQL("{}::text").format(part) for part in self.of(alias))

    def within(self, alias: str, part: chunks.Range) -> sql.Composable:
        """Whether a source row lies in ``(lo, hi]``."""
        return _within(alias, self.source, lo=part.lo, hi=part.hi)

    def target_within(self, alias: str, part: chunks.Range) -> sql.Composable:
        """The same of a target row; ``true`` where the target does not know the order's columns."""
        if self.target is None:
            return sql.SQL("true")
        return _within(alias, self.target, lo=part.lo, hi=part.hi)

    def after(self, alias: str, lo: chunks.Bound | None) -> sql.Composable:
        """Whether a source row comes after ``lo``."""
        return _within(alias, self.source, lo=lo, hi=None)


def _within(
    alias: str, of: tuple[Column, ...], *, lo: chunks.Bound | None, hi: chunks.Bound | None
) -> sql.Composable:
    def compared(how: str, bound: chunks.Bound) -> sql.Composable:
        left = columns.comma(columns.column(alias, column.name) for column in of)
        right = columns.comma(columns.value(text, column) for text, column in zip(bound, of, strict=True))
        return sql.SQL("({}) {} ({})").format(left, columns.trusted(how), right)

    parts = [compared(how, bound) for how, bound in ((">", lo), ("<=", hi)) if bound is not None]
    return columns.both(parts)


class CopyStatements:
    """Everything that the copier says to the target."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._order = Order(shape)
        image = columns.image(shape, "s")
        self._parts: dict[str, sql.Composable] = {
            "source": shape.source.sql,
            "target": shape.target.sql,
            "rows": columns.source_rows(shape, "s"),
            "target_rows": columns.target_scope(shape, "t"),
            "order": self._order.by("s"),
            "order_down": self._order.by_down("s"),
            "order_text": self._order.text("s"),
            "chunk": sql.Identifier(shape.move.chunk_column),
            "columns": columns.names(image),
            "image": columns.values(image),
            "conflict": columns.conflict_target(shape, "target"),
            "join": columns.key_match(shape, "s", "source", "t", "target"),
            "equal": columns.equal(shape, "s", "t"),
            "key_text": columns.key_text(shape, "s", "source"),
            "keys": columns.comma(columns.key_of(shape, "s", "source")),
            "touched": shape.touched,
            "touched_columns": columns.key_list(shape, None),
            "touched_key": columns.key_match(shape, "k", None, "s", "source"),
        }

    def _compose(self, name: str, **more: sql.Composable) -> Query:
        return statements.compose(name, **self._parts, **more)

    def _of(self, name: str, part: chunks.Range, **more: sql.Composable) -> Query:
        return self._compose(name, range=self._order.within("s", part), **more)

    # -- planning

    def extent(self) -> Query:
        """Rows to copy, rows without a place in the order, the last row's place."""
        return self._compose("copy_extent")

    def sample(self, percent: float) -> Query:
        """Places of rows from ``percent`` of the source's pages."""
        return self._compose("copy_sample", percent=sql.Literal(percent))

    def add_range(self, part: chunks.Range) -> Query:
        """A range that is left to copy."""
        return statements.compose(
            "copy_add_range",
            run_id=sql.Literal(self._shape.run_uid),
            n=sql.Literal(part.n),
            lo=sql.Literal(chunks.encode(part.lo)),
            hi=sql.Literal(chunks.encode(part.hi)),
            rows=sql.Literal(part.rows),
        )

    # -- one chunk

    def claim(self) -> Query:
        """Lock the next free range."""
        return statements.compose("copy_claim", run_id=sql.Literal(self._shape.run_uid))

    def cut(self, part: chunks.Range, size: int) -> Query:
        """The place of the ``size``-th row of the range."""
        return self._of("copy_cut", part, skip=sql.Literal(size - 1))

    def occupied(self, part: chunks.Range) -> Query:
        """Whether the target has rows there already."""
        return self._compose("copy_occupied", target_range=self._order.target_within("t", part))

    def insert(self, part: chunks.Range, *, careful: bool) -> Query:
        """The copy itself; ``careful`` leaves rows alone that the target has."""
        return self._of("copy_chunk_careful" if careful else "copy_chunk", part)

    def count(self, part: chunks.Range) -> Query:
        """Rows of the source in the range."""
        return self._of("copy_count", part)

    def differing(self, part: chunks.Range, *, limit: int) -> Query:
        """Keys whose target row is not the source row's image, without a reason for it."""
        return self._of("copy_differing", part, limit=sql.Literal(limit))

    def hand_over(self, part: chunks.Range) -> Query:
        """The same keys, noted for the drain."""
        return self._of("copy_hand_over", part)

    def finish(
        self, part: chunks.Range, *, rows: int, inserted: int, different: int, ms: float, token: int
    ) -> Query:
        """The claimed range becomes the piece's record."""
        return statements.compose(
            "copy_finish",
            run_id=sql.Literal(self._shape.run_uid),
            n=sql.Literal(part.n),
            hi=sql.Literal(chunks.encode(part.hi)),
            rows=sql.Literal(rows),
            inserted=sql.Literal(inserted),
            different=sql.Literal(different),
            ms=sql.Literal(ms),
            token=sql.Literal(token),
        )

    @staticmethod
    def tally(run_uid: uuid.UUID) -> Query:
        """How far the copy is."""
        return statements.compose("copy_tally", run_id=sql.Literal(run_uid))
