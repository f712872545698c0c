"""How a trigger function holds the keys of its statement.

A set of keys is an array for each key column; a column that the scope fixes has one value for all rows, and
is a constant of the function. Where a single column is left, its array is the whole set, and rows are found
by one walk through the key's index; otherwise by a lookup for each key.
"""

from __future__ import annotations

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import columns, mirroring
from migration_runs.engine.move.names import Shape, Side

SETS = ("keys", "olds", "news", "lost")
"""All that the statement was about; those that lived before it; after it; those that live no more."""


class TriggerKeys:
    """The variables of the trigger function that listens to ``side``, as SQL."""

    def __init__(self, shape: Shape, side: Side) -> None:
        self._shape = shape
        self._side = side
        self._fixed = shape.fixed
        self._free = tuple(name for name in shape.key_names if name not in self._fixed)

    @property
    def declarations(self) -> sql.Composed:
        """The DECLARE lines of all of them."""
        lines: list[sql.Composable] = []
        for key in self._shape.key:
            of = self._shape.table(self._side).columns[columns.key_name(key, self._side)]
            if key.name in self._fixed:
                lines.append(
                    sql.SQL("{} CONSTANT {} := {};").format(
                        self._constant(key.name),
                        columns.trusted(of.type),
                        columns.value(self._shape.move.scope[key.source], of),
                    )
                )
            else:
                lines += [
                    sql.SQL("{} {}[];").format(_array(name, key.name), columns.trusted(of.type))
                    for name in SETS
                ]
        return sql.SQL("\n    ").join(lines)

    def none(self, name: str) -> sql.Composed:
        """Whether the set is empty."""
        return sql.SQL("{} IS NULL").format(_array(name, self._free[0]))

    def some(self, name: str) -> sql.Composed:
        """Whether there is a key in the set."""
        return sql.SQL("{} IS NOT NULL").format(_array(name, self._free[0]))

    def same(self, one: str, other: str) -> sql.Composed:
        """Whether two sets are the same; NULL where one is empty."""
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(_array(one, name), _array(other, name)) for name in self._free
        )

    def becomes(self, name: str, other: str) -> sql.Composed:
        """Assignments that make one set the other."""
        return sql.SQL("; ").join(
            sql.SQL("{} := {}").format(_array(name, key), _array(other, key)) for key in self._free
        )

    def given(self, name: str) -> sql.Composed:
        """The set as a FROM item ``k``, for a statement of the function."""
        return self._item({key: _array(name, key) for key in self._free})

    @property
    def parameters(self) -> sql.Composed:
        """A set as a FROM item ``k``, for a dynamic statement that is executed :meth:`using` it."""
        return self._item({key: self._parameter(key) for key in self._free}, dynamic=True)

    def using(self, name: str) -> sql.Composed:
        """What a dynamic statement is given."""
        return columns.comma(
            self._constant(key) if key in self._fixed else _array(name, key) for key in self._shape.key_names
        )

    def rows(self, name: str) -> sql.Composed:
        """FROM and what follows: rows of the listened side that have these keys now, in order."""
        if len(self._free) > 1:
            return mirroring.looked_up(self._shape, self._side, self.given(name))
        alias = self._side[0]
        conditions: list[sql.Composable] = []
        order: list[sql.Composable] = []
        for key in self._shape.key:
            column = columns.column(alias, columns.key_name(key, self._side))
            if key.name in self._fixed:
                conditions.append(sql.SQL("{} = {}").format(column, self._constant(key.name)))
            else:
                conditions.append(sql.SQL("{} = ANY ({})").format(column, _array(name, key.name)))
                order.append(column)
        return statements.compose(
            "mirror_pick",
            table=self._shape.table(self._side).sql,
            alias=sql.Identifier(alias),
            key=columns.both(conditions),
            rows=columns.rows_of_keys(self._shape, alias, self._side),
            order=columns.comma(order),
        )

    # -- filling the sets

    def collect(self, sets: dict[str, str], rows: dict[str, sql.Composable]) -> sql.Composed:
        """SELECT INTO: each set from its transition table, of which ``rows`` are meant."""
        return sql.SQL("SELECT * INTO {} FROM {}").format(
            columns.comma(_array(name, key) for name in sets for key in self._free),
            columns.comma(self._collected(table, rows[table]) for table in sets.values()),
        )

    def _collected(self, table: str, rows: sql.Composable) -> sql.Composed:
        free = [key for key in self._shape.key if key.name in self._free]
        order = columns.comma(columns.column("r", columns.key_name(key, self._side)) for key in free)
        return statements.compose(
            "mirror_collect",
            aggregates=columns.comma(
                sql.SQL("array_agg({})").format(columns.column("r", name)) for name in self._free
            ),
            keys=columns.comma(
                sql.SQL("{} AS {}").format(
                    columns.column("r", columns.key_name(key, self._side)), sql.Identifier(key.name)
                )
                for key in free
            ),
            table=sql.Identifier(table),
            rows=rows,
            order=order,
        )

    @property
    def moved(self) -> sql.Composed:
        """SELECT INTO keys and lost where ``olds`` and ``news`` are not the same."""
        free = columns.comma(columns.column("k", name) for name in self._free)
        return statements.compose(
            "mirror_moved",
            aggregates=columns.comma(
                sql.SQL("array_agg({}){}").format(columns.column("k", name), sql.SQL(which))
                for which in ("", " FILTER (WHERE NOT k.stays)")
                for name in self._free
            ),
            variables=columns.comma(_array(name, key) for name in ("keys", "lost") for key in self._free),
            keys=free,
            olds=self._unnested({key: _array("olds", key) for key in self._free}),
            news=self._unnested({key: _array("news", key) for key in self._free}),
            order=free,
        )

    def _item(self, arrays: dict[str, sql.Composable], *, dynamic: bool = False) -> sql.Composed:
        if not self._fixed:
            return self._unnested(arrays)
        return statements.compose(
            "mirror_keys",
            columns=columns.comma(
                sql.SQL("{} AS {}").format(
                    self._parameter(name) if dynamic else self._constant(name), sql.Identifier(name)
                )
                if name in self._fixed
                else columns.column("k", name)
                for name in self._shape.key_names
            ),
            free=self._unnested(arrays),
        )

    def _unnested(self, arrays: dict[str, sql.Composable]) -> sql.Composed:
        return sql.SQL("unnest({}) AS k ({})").format(
            columns.comma(arrays.values()), columns.comma(sql.Identifier(name) for name in arrays)
        )

    def _constant(self, key: str) -> sql.Identifier:
        return sql.Identifier(f"all_{key[1:]}")

    def _parameter(self, key: str) -> sql.SQL:
        return columns.trusted(f"${self._shape.key_names.index(key) + 1}")


def _array(name: str, key: str) -> sql.Identifier:
    return sql.Identifier(f"{name}_{key[1:]}")
