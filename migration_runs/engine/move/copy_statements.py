"""The copier's statements for one move, made from ``sql/copy_*.sql`` and the move's shape."""

from __future__ import annotations

import uuid
from typing import Literal

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import chunks, columns
from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.ordering import Order

Query = sql.Composed
How = Literal["plain", "beside", "careful"]
"""Into an empty range; beside the few rows that are there; or asking for every row whether it is there."""


class CopyStatements:
    """Everything that the copier says to the target."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._order = Order.of_source(shape, "s")
        self._target_order = self._order.on_target(shape, "t")
        image = columns.image(shape, "s")
        self._parts: dict[str, sql.Composable] = {
            "source": shape.source.sql,
            "target": shape.target.sql,
            "rows": columns.source_rows(shape, "s"),
            "target_rows": columns.target_scope(shape, "t"),
            "order": self._order.by,
            "order_down": self._order.by_down,
            "order_text": self._order.text,
            "chunk": sql.Identifier(shape.move.chunk_column),
            "columns": columns.names(image),
            "image": columns.values(image),
            "conflict": columns.conflict_target(shape, "target"),
            "join": columns.key_match(shape, "s", "source", "t", "target"),
            "equal": columns.equal(shape, "s", "t"),
            "key_text": columns.key_text(shape, "s", "source"),
            "keys": columns.comma(columns.key_of(shape, "s", "source")),
            "target_keys": columns.comma(columns.key_of(shape, "t", "target")),
            "touched": shape.touched,
            "touched_columns": columns.key_list(shape, None),
            "touched_key": columns.key_match(shape, "k", None, "s", "source"),
        }

    def _compose(self, name: str, **more: sql.Composable) -> Query:
        return statements.compose(name, **self._parts, **more)

    def _of(self, name: str, part: chunks.Range, **more: sql.Composable) -> Query:
        return self._compose(name, range=self._order.within(part.lo, part.hi), **more)

    def _target_range(self, part: chunks.Range) -> sql.Composable:
        return self._target_order.within(part.lo, part.hi) if self._target_order else sql.SQL("true")

    def _pairs(self, part: chunks.Range) -> Query:
        if self._target_order is None:
            return self._of("copy_pairs_by_source", part)
        return self._compose("copy_pairs", target_range=self._target_range(part))

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
        """Lock the next free range; how many keys forward has noted."""
        return statements.compose(
            "copy_claim", run_id=sql.Literal(self._shape.run_uid), noted=self._shape.noted
        )

    @staticmethod
    def manners() -> Query:
        """How the chunk's transaction goes about it."""
        return statements.compose("copy_manners")

    def cut(self, part: chunks.Range, size: int) -> Query:
        """The place of the ``size``-th row of the range."""
        return self._of("copy_cut", part, skip=sql.Literal(size - 1))

    def occupied(self, part: chunks.Range) -> Query:
        """Whether the target has rows there already."""
        return self._compose("copy_occupied", target_range=self._target_range(part))

    @property
    def best_beside(self) -> How:
        """The cheapest way to insert where the target has rows already."""
        return "beside" if self._target_order else "careful"

    def insert(self, part: chunks.Range, how: How) -> Query:
        """The copy itself."""
        if how == "beside":
            return self._of("copy_chunk_beside", part, target_range=self._target_range(part))
        return self._of("copy_chunk" if how == "plain" else "copy_chunk_careful", part)

    def count(self, part: chunks.Range) -> Query:
        """Rows of the source in the range."""
        return self._of("copy_count", part)

    def differing(self, part: chunks.Range, *, limit: int) -> Query:
        """Keys whose target row is not the source row's image, without a reason for it."""
        return self._of("copy_differing", part, pairs=self._pairs(part), limit=sql.Literal(limit))

    def hand_over(self, part: chunks.Range) -> Query:
        """The same keys, noted for the drain."""
        return self._of("copy_hand_over", part, pairs=self._pairs(part))

    def finish(
        self,
        part: chunks.Range,
        *,
        rows: int,
        inserted: int,
        different: int,
        ms: float,
        token: int,
        left: chunks.Range | None,
    ) -> Query:
        """The claimed range becomes the piece's record; ``left`` of it is a new range."""
        done = statements.compose(
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
        return done if left is None else sql.SQL(";\n").join([done, self.add_range(left)])

    @staticmethod
    def tally(run_uid: uuid.UUID) -> Query:
        """How far the copy is."""
        return statements.compose("copy_tally", run_id=sql.Literal(run_uid))
