"""The statements of a comparison, made from ``sql/verify_*.sql``, the move's shape and the part compared."""

from __future__ import annotations

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import columns
from migration_runs.engine.move.names import KeyColumn, Shape
from migration_runs.engine.move.parts import ALL, Part

Query = sql.Composed


class VerifyStatements:
    """A comparison of the move's two sides. ``touched``: whether the run's list of touched keys exists."""

    def __init__(self, shape: Shape, *, touched: bool, part: Part = ALL) -> None:
        self._shape = shape
        self._touched = touched
        scope = shape.move.scope
        # Both sides are filtered by the scope's values already: comparing those again would cost time.
        free = tuple(key for key in shape.key if key.source not in scope) or shape.key
        self._sides: dict[str, sql.Composable] = {
            "source_side": part.query(shape, "source"),
            "target_side": part.query(shape, "target"),
        }
        self._joined: dict[str, sql.Composable] = {
            **self._sides,
            "join": columns.both(
                sql.SQL("{} = {}").format(columns.column("s", key.target), columns.column("t", key.target))
                for key in free
            ),
        }

    def quick(self) -> Query:
        """Rows of the source, rows of the target, pairs that are equal."""
        return statements.compose("verify_quick", **self._joined, equal=self._equal())

    def tally(self, *, overdue_s: float) -> Query:
        """Rows by state, how many each side has, and of those to be drained how long they have waited."""
        return statements.compose(
            "verify_tally",
            **self._joined,
            state=self._state(),
            key=self._ordered(),
            waited=self._waited(),
            overdue_s=sql.Literal(overdue_s),
        )

    def keys(self, limit: int) -> Query:
        """The keys of rows that differ without a reason, in no order."""
        return statements.compose(
            "verify_keys",
            **self._joined,
            state=self._state(),
            key_text=self._key_text(),
            limit=sql.Literal(limit),
        )

    def examples(self, limit: int) -> Query:
        """The first rows that differ without a reason: key, columns that differ, both images as texts."""
        names = tuple(self._shape.move.columns)
        return statements.compose(
            "verify_examples",
            **self._joined,
            state=self._state(),
            key_text=self._key_text(),
            differing=columns.comma(
                sql.SQL("CASE WHEN {} THEN NULL ELSE {} END").format(self._alike(name), sql.Literal(name))
                for name in names
            ),
            source_text=columns.comma(
                sql.SQL("{}::text").format(columns.column("s", name)) for name in names
            ),
            target_text=columns.comma(
                sql.SQL("{}::text").format(columns.column("t", name)) for name in names
            ),
            order=self._ordered(),
            order_names=columns.comma(self._order_names()),
            limit=sql.Literal(limit),
        )

    def digests(self) -> Query:
        """Rows and digest of the source, rows and digest of the target."""
        return statements.compose(
            "verify_digests",
            **self._sides,
            columns=columns.comma(columns.column("c", name) for name in self._shape.move.columns),
        )

    def bounds(self) -> Query:
        """Lowest and highest value of the chunk column."""
        return statements.compose(
            "verify_bounds",
            source=self._shape.source.sql,
            rows=columns.source_rows(self._shape, "s"),
            chunk=sql.Identifier(self._shape.move.chunk_column),
        )

    def _key_text(self) -> sql.Composed:
        return columns.comma(sql.SQL("{}::text").format(_key(key)) for key in self._shape.key)

    def _order_names(self) -> list[sql.Identifier]:
        return [sql.Identifier(f"o{number}") for number, _ in enumerate(self._shape.key, start=1)]

    def _ordered(self) -> sql.Composed:
        return columns.comma(
            sql.SQL("{} AS {}").format(_key(key), name)
            for key, name in zip(self._shape.key, self._order_names(), strict=True)
        )

    def _state(self) -> sql.Composable:
        """The state of one compared pair; the touched list is only asked about rows that differ."""
        pending: sql.Composable = sql.SQL("false")
        if self._touched:
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

    def _waited(self) -> sql.Composable:
        """Seconds since the oldest entry of a key that is still to be drained."""
        if not self._touched:
            return sql.SQL("NULL::float8")
        match = columns.both(
            sql.SQL("{} = {}").format(columns.column("k", key.name), name)
            for key, name in zip(self._shape.key, self._order_names(), strict=True)
        )
        return sql.SQL(
            "(SELECT extract(epoch FROM clock_timestamp() - min(k.at))::float8 FROM {} AS k WHERE {})"
        ).format(self._shape.touched, match)

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
