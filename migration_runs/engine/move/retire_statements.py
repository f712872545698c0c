"""Cleanup's statements for one move, made from ``sql/retire_*.sql`` and the move's shape."""

from __future__ import annotations

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import chunks, columns
from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.ordering import Order

Query = sql.Composed


class RetireStatements:
    """Everything that cleanup says to the source."""

    def __init__(self, shape: Shape) -> None:
        self._kind = "retire_delete" if shape.move.active is None else "retire_soft"
        self._order = Order.of_source(shape, "s")
        returned = [
            sql.SQL("{} AS {}").format(columns.column("s", key.source), sql.Identifier(key.name))
            for key in shape.key
        ]
        returned += [
            sql.SQL("{} AS {}").format(columns.column("s", of.name), sql.Identifier(name))
            for of, name in zip(shape.identity, shape.identity_names, strict=True)
        ]
        names = [sql.Identifier(name) for name in (*shape.key_names, *shape.identity_names)]
        self._parts: dict[str, sql.Composable] = {
            "source": shape.source.sql,
            "target": shape.target.sql,
            "rows": columns.source_rows(shape, "s"),
            "target_rows": columns.target_scope(shape, "t"),
            "target_here": columns.key_of(shape, "t", "target")[0],
            "join": columns.key_match(shape, "s", "source", "t", "target"),
            "equal": columns.equal(shape, "s", "t"),
            "touched": shape.touched,
            "touched_key": columns.key_match(shape, "k", None, "s", "source"),
            "gone": shape.gone,
            "retired": columns.assignments(columns.retired(shape)),
            "returned": columns.comma(returned),
            "names": columns.comma(names),
            "key_text": columns.key_text(shape, "s", "source"),
            "order": self._order.by,
            "order_text": self._order.text,
        }

    def _compose(self, name: str, **more: sql.Composable) -> Query:
        return statements.compose(name, **self._parts, **more)

    def end(self, lo: chunks.Bound | None, size: int) -> Query:
        """The place of the ``size``-th active row after ``lo``."""
        return self._compose("copy_cut", range=self._order.within(lo, None), skip=sql.Literal(size - 1))

    def retire(self, lo: chunks.Bound | None, hi: chunks.Bound | None) -> Query:
        """Retire the proven rows of ``(lo, hi]`` and list them."""
        return self._compose(self._kind, range=self._order.within(lo, hi))

    def left(self, *, limit: int) -> Query:
        """How many active rows are left, at most ``limit``."""
        return self._compose("retire_left", limit=sql.Literal(limit))

    def unproven(self, *, limit: int) -> Query:
        """Keys of active rows that are not equal in the target."""
        return self._compose("retire_unproven", limit=sql.Literal(limit))
