"""A rollback's statements for one move, made from ``sql/rollback_*.sql`` and the move's shape."""

from __future__ import annotations

from typing import Literal

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import chunks, columns, mirroring
from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.ordering import Order

Query = sql.Composed


class RollbackStatements:
    """Everything that a rollback says to the two tables."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._order = Order.of_target_key(shape, "t")
        back = columns.back(shape, "t") | columns.living(shape)
        key = shape.key[0]
        own = [name for name, of in shape.target.columns.items() if not of.generated]
        either = [
            sql.SQL("coalesce({}, {})").format(
                columns.column("s", key.source), columns.column("t", key.target)
            )
            for key in shape.key
        ]
        touched_either = columns.both(
            sql.SQL("{} = {}").format(columns.column("k", key.name), part)
            for key, part in zip(shape.key, either, strict=True)
        )
        self._parts: dict[str, sql.Composable] = {
            "source": shape.source.sql,
            "target": shape.target.sql,
            "rows": columns.source_rows(shape, "s"),
            "target_rows": columns.target_scope(shape, "t"),
            "source_here": columns.column("s", key.source),
            "target_here": columns.column("t", key.target),
            "join": columns.key_match(shape, "s", "source", "t", "target"),
            "equal": columns.equal(shape, "s", "t"),
            "names": columns.key_list(shape, None),
            "touched": shape.touched,
            "touched_key": columns.key_match(shape, "k", None, "t", "target"),
            "touched_either": touched_either,
            "either_key": columns.comma(either),
            "gone": shape.gone,
            "gone_key": columns.key_match(shape, "g", None, "t", "target"),
            "before": shape.before,
            "before_key": columns.key_match(shape, "b", None, "t", "target"),
            "back_columns": columns.names(back),
            "back": columns.values(back),
            "source_conflict": columns.conflict_target(shape, "source"),
            "conflict": columns.conflict_target(shape, "target"),
            "target_key_text": columns.key_text(shape, "t", "target"),
            "target_order": self._order.by,
            "order_text": self._order.text,
            "all_columns": columns.comma(sql.Identifier(name) for name in own),
            "all_values": columns.comma(columns.column("i", name) for name in own),
        }

    def _compose(self, name: str, **more: sql.Composable) -> Query:
        return statements.compose(name, **self._parts, **more)

    # -- after cleanup: the source becomes whole again

    def gone_end(self, lo: int | None, size: int) -> Query:
        """The number that ends the piece of gone rows after ``lo``, and the piece's rows."""
        return self._compose("rollback_cut_gone", lo=sql.Literal(lo or 0), size=sql.Literal(size))

    def revive(self, lo: int | None, hi: int) -> Query:
        """Bring back the gone rows numbered ``(lo, hi]`` whose target row exists."""
        keys = sql.SQL("(SELECT DISTINCT {} FROM {} AS g WHERE g.id > {} AND g.id <= {}) AS k").format(
            columns.comma(columns.key_of(self._shape, "g", None)),
            self._shape.gone,
            sql.Literal(lo or 0),
            sql.Literal(hi),
        )
        statement = mirroring.write_first(self._shape, "reverse", "revive", keys)
        assert statement is not None
        return statement

    def target_end(self, lo: chunks.Bound | None, size: int) -> Query:
        """The place of the ``size``-th target row after ``lo``."""
        return self._compose(
            "rollback_cut_target", target_range=self._order.within(lo, None), skip=sql.Literal(size - 1)
        )

    def copy_back(self, lo: chunks.Bound | None, hi: chunks.Bound | None) -> Query:
        """Write into the source what only the target has, of ``(lo, hi]``."""
        return self._compose("rollback_copy_back", target_range=self._order.within(lo, hi))

    def note(self) -> Query:
        """Note every key whose sides are not equal."""
        return self._compose("rollback_note")

    # -- the data decision

    def delete(self, lo: chunks.Bound | None, hi: chunks.Bound | None) -> Query:
        """Delete the proven copies of ``(lo, hi]`` from the target."""
        return self._compose("rollback_delete", target_range=self._order.within(lo, hi))

    def left(self, *, limit: int) -> Query:
        """Keys of rows of this run that the target still has."""
        return self._compose("rollback_left", limit=sql.Literal(limit))

    def brought(self) -> Query:
        """A row for each target row in scope that was not there before the run."""
        return self._compose("rollback_brought")

    def restore(self, decision: Literal["keep", "delete"]) -> Query:
        """Give back target rows from before the run: all it changed, or (``keep``) those it removed."""
        taken = {key.target for key in self._shape.key}
        own = [name for name, of in self._shape.target.columns.items() if not of.generated]
        changes = columns.comma(
            sql.SQL("{} = {}").format(sql.Identifier(name), columns.column("excluded", name))
            for name in own
            if name not in taken and not self._shape.target.columns[name].identity
        )
        action: sql.Composable = sql.SQL("DO NOTHING")
        if decision == "delete" and changes.as_string():
            action = sql.SQL("DO UPDATE SET {}").format(changes)
        return self._compose("rollback_restore", restore_action=action)
