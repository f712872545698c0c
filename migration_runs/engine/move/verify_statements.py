"""The statements of a comparison, made from ``sql/verify_*.sql`` and the move's shape."""

from __future__ import annotations

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import columns
from migration_runs.engine.move.names import KeyColumn, Shape

Query = sql.Composed


class VerifyStatements:
    """A comparison of the move's two sides. ``touched``: whether the run's list of touched keys exists."""

    def __init__(self, shape: Shape, *, touched: bool) -> None:
        self._shape = shape
        names = tuple(shape.move.columns)
        image = columns.image(shape, "s")
        scope = shape.move.scope
        # Both sides are filtered by the scope's values already: comparing those again would cost time.
        free = tuple(key for key in shape.key if key.source not in scope) or shape.key
        self._parts: dict[str, sql.Composable] = {
            "source": shape.source.sql,
            "target": shape.target.sql,
            "rows": columns.source_rows(shape, "s"),
            "target_rows": columns.target_scope(shape, "t"),
            "image": columns.comma(
                sql.SQL("{} AS {}").format(made, sql.Identifier(name)) for name, made in image.items()
            ),
            "columns": columns.comma(columns.column("t", name) for name in names),
            "join": columns.both(
                sql.SQL("{} = {}").format(columns.column("s", key.target), columns.column("t", key.target))
                for key in free
            ),
            "state": self._state(touched=touched),
        }

    def tally(self) -> Query:
        """Rows by state, and how many of them each side has."""
        return statements.compose("verify_tally", **self._parts)

    def examples(self, limit: int) -> Query:
        """The first rows that differ without a reason, with key and both images as texts."""
        names = tuple(self._shape.move.columns)
        order = [sql.Identifier(f"o{number}") for number, _ in enumerate(self._shape.key, start=1)]
        return statements.compose(
            "verify_examples",
            **self._parts,
            key_text=columns.comma(sql.SQL("{}::text").format(_key(key)) for key in self._shape.key),
            source_text=columns.comma(
                sql.SQL("{}::text").format(columns.column("s", name)) for name in names
            ),
            target_text=columns.comma(
                sql.SQL("{}::text").format(columns.column("t", name)) for name in names
            ),
            order=columns.comma(
                sql.SQL("{} AS {}").format(_key(key), name)
                for key, name in zip(self._shape.key, order, strict=True)
            ),
            order_names=columns.comma(order),
            limit=sql.Literal(limit),
        )

    def bounds(self) -> Query:
        """Lowest and highest value of the chunk column."""
        return statements.compose(
            "verify_bounds",
            source=self._parts["source"],
            rows=self._parts["rows"],
            chunk=sql.Identifier(self._shape.move.chunk_column),
        )

    def _state(self, *, touched: bool) -> sql.Composable:
        """The state of one compared pair; the touched list is only asked about rows that differ."""
        pending: sql.Composable = sql.SQL("false")
        if touched:
            match = columns.both(
                sql.SQL("{} = {}").format(columns.column("k", key.name), _key(key)) for key in self._shape.key
            )
            pending = sql.SQL("EXISTS (SELECT FROM {} AS k WHERE {})").format(self._shape.touched, match)
        return sql.SQL(
            "CASE WHEN t.phasegate_here IS NULL THEN CASE WHEN {pending} THEN 'pending' ELSE 'missing' END"
            " WHEN s.phasegate_here IS NULL THEN CASE WHEN {pending} THEN 'pending' ELSE 'extra' END"
            " WHEN {equal} THEN 'equal'"
            " WHEN {pending} THEN 'pending' ELSE 'different' END"
        ).format(pending=pending, equal=self._equal())

    def _equal(self) -> sql.Composable:
        return columns.both(self._alike(name) for name in self._shape.move.columns)

    def _alike(self, name: str) -> sql.Composable:
        left, right = columns.column("s", name), columns.column("t", name)
        alike = sql.SQL("{} IS NOT DISTINCT FROM {}").format(left, right)
        tolerance = self._shape.move.tolerance.get(name)
        if tolerance is None:
            return alike
        # NULL on one side makes the difference NULL, which is no likeness.
        return sql.SQL("({alike} OR coalesce(abs({left} - {right}) <= {tolerance}, false))").format(
            alike=alike,
            left=left,
            right=right,
            tolerance=columns.value(tolerance, self._shape.target.columns[name]),
        )


def _key(key: KeyColumn) -> sql.Composable:
    return sql.SQL("coalesce({}, {})").format(
        columns.column("s", key.target), columns.column("t", key.target)
    )
