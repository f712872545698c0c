"""The statements by which one side is made what the other one is, for a set of keys.

Triggers, the drain and a rollback share them: each says where the keys come from (arrays of a trigger
function, parameters of a query), the statements read both sides as they are then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import columns
from migration_runs.engine.move.names import Direction, Shape, Side

Mode = Literal["mirror", "retire", "full", "update_only", "revive"]
"""Forward: ``mirror``; ``retire`` while cleanup retires source rows (those are then not removed from the
target). Reverse: ``full``; ``update_only`` during cleanup; ``revive`` during a rollback after it."""

MODES: dict[Direction, tuple[Mode, ...]] = {
    "forward": ("mirror", "retire"),
    "reverse": ("full", "update_only", "revive"),
}
WRITER: dict[Direction, Side] = {"forward": "source", "reverse": "target"}
"""The side whose writers a direction listens to, and whose word it passes on."""


def keys_from(shape: Shape, arrays: Sequence[sql.Composable]) -> sql.Composed:
    """``unnest(arrays) AS k (k1, k2 ...)``."""
    return sql.SQL("unnest({}) AS k ({})").format(columns.comma(arrays), columns.key_list(shape, None))


def difference(shape: Shape, keys: sql.Composable) -> sql.Composed:
    """A query with a row for each key whose two sides are not equal."""
    return statements.compose(
        "mirror_difference",
        keys=keys,
        equal=columns.equal(shape, "s", "t"),
        **_sides(shape),
        source_here=columns.key_of(shape, "s", "source")[0],
        target_here=columns.key_of(shape, "t", "target")[0],
    )


def looked_up(shape: Shape, side: Side, keys: sql.Composable) -> sql.Composed:
    """FROM and what follows: that side's rows with these keys, one lookup each, in the order of the keys."""
    alias = side[0]
    return statements.compose(
        "mirror_look_up",
        keys=keys,
        table=shape.table(side).sql,
        alias=sql.Identifier(alias),
        key=columns.key_match(shape, alias, side, "k", None),
        rows=columns.rows_of_keys(shape, alias, side),
    )


def seen_twice(shape: Shape, direction: Direction, keys: sql.Composable) -> sql.Composed:
    """A query with a row for each key that has two rows on the writer's side, as this transaction sees it."""
    return statements.compose(
        "mirror_seen_twice",
        rows=looked_up(shape, WRITER[direction], keys),
        keys=columns.comma(columns.key_of(shape, "k", None)),
    )


def write(
    shape: Shape, direction: Direction, mode: Mode, rows: sql.Composable, *, over: bool = True
) -> sql.Composed | None:
    """The statement that brings the writer's ``rows`` (:func:`looked_up`) to the other side.

    ``over``: rows that are there are overwritten where they differ; otherwise they are a unique violation.
    None in mode ``update_only``, which has but what :func:`write_first` gives.
    """
    if direction == "forward":
        return _forward_write(shape, rows, over=over)
    return None if mode == "update_only" else _reverse_write(shape, rows, over=over)


def write_first(shape: Shape, direction: Direction, mode: Mode, keys: sql.Composable) -> sql.Composed | None:
    """A statement to execute before :func:`write`, or None; planned anew for every set of keys."""
    if direction == "forward":
        return None
    if mode == "update_only":
        return statements.compose(
            "mirror_reverse_update",
            keys=keys,
            assignments=columns.assignments(columns.back(shape, "t"), but=_key_names(shape, "source")),
            equal=columns.equal(shape, "s", "t"),
            **_sides(shape),
        )
    return _revive(shape, keys) if mode == "revive" else None


def remove(
    shape: Shape, direction: Direction, keys: sql.Composable, *, but_gone: bool = False
) -> sql.Composed:
    """The statement that takes rows with these keys away where the writer's side has them no more.

    It joins: to be planned anew for every set of keys.
    ``but_gone`` spares target rows whose source row this run retired.
    """
    if direction == "forward":
        spared: sql.Composable = sql.SQL("")
        if but_gone:
            spared = sql.SQL("\n   AND NOT EXISTS (SELECT FROM {} AS g WHERE {})").format(
                shape.gone, columns.key_match(shape, "g", None, "k", None)
            )
        return statements.compose("mirror_forward_remove", keys=keys, but_gone=spared, **_sides(shape))
    if shape.move.active is None:
        return statements.compose("mirror_reverse_remove", keys=keys, **_sides(shape))
    return statements.compose(
        "mirror_reverse_withdraw",
        keys=keys,
        retired=columns.assignments(columns.retired(shape)),
        **_sides(shape),
    )


def _sides(shape: Shape) -> dict[str, sql.Composable]:
    return {
        "source": shape.source.sql,
        "target": shape.target.sql,
        "source_key": columns.key_match(shape, "s", "source", "k", None),
        "target_key": columns.key_match(shape, "t", "target", "k", None),
        "source_rows": columns.rows_of_keys(shape, "s", "source"),
        "target_scope": columns.rows_of_keys(shape, "t", "target"),
    }


def _key_names(shape: Shape, side: Side) -> tuple[str, ...]:
    return tuple(columns.key_name(key, side) for key in shape.key)


def _forward_write(shape: Shape, rows: sql.Composable, *, over: bool) -> sql.Composed:
    row = columns.target_row(shape, "excluded")
    changes = columns.assignments(row, but=_key_names(shape, "target"))
    return statements.compose(
        "mirror_forward_write",
        target=shape.target.sql,
        rows=rows,
        columns=columns.target_list(shape),
        image=columns.values(columns.image(shape, "s")),
        where_there=_upsert(
            columns.conflict_target(shape, "target"),
            changes,
            [sql.SQL("NOT {}").format(columns.alike_targets(shape, "t", "excluded"))],
            columns.target_scope(shape, "t"),
            fixed=set(shape.move.scope) <= set(shape.move.key),
        )
        if over
        else sql.SQL(""),
    )


def _reverse_write(shape: Shape, rows: sql.Composable, *, over: bool) -> sql.Composed:
    row = columns.back(shape, "t") | columns.living(shape)
    changes = columns.assignments(columns.excluded(row), but=_key_names(shape, "source"))
    differs = [sql.SQL("NOT {}").format(columns.alike_sources(shape, "s", "excluded"))]
    if shape.move.active is not None:
        # Under a unique index that counts withdrawn rows too, the row that is in the way comes back to life.
        differs.append(sql.SQL("NOT coalesce({}, false)").format(columns.active(shape, "s")))
    return statements.compose(
        "mirror_reverse_write",
        source=shape.source.sql,
        rows=rows,
        columns=columns.names(row),
        back=columns.values(row),
        where_there=_upsert(
            columns.conflict_target(shape, "source"),
            changes,
            differs,
            columns.source_scope(shape, "s"),
            fixed=set(shape.move.scope) <= set(shape.move.key),
        )
        if over
        else sql.SQL(""),
    )


def _upsert(
    conflict: sql.Composable,
    changes: sql.Composed,
    differs: Sequence[sql.Composable],
    scope: sql.Composable,
    *,
    fixed: bool,
) -> sql.Composable:
    """What to do with a row that is there: write it where it differs, and never one out of scope."""
    if not changes.as_string():
        return sql.SQL("\n    ON CONFLICT {} DO NOTHING").format(conflict)
    condition: sql.Composable = sql.SQL("(") + sql.SQL(" OR ").join(differs) + sql.SQL(")")
    if not fixed:
        condition = columns.both([scope, condition])
    return sql.SQL("\n    ON CONFLICT {} DO UPDATE SET {} WHERE {}").format(conflict, changes, condition)


def _revive(shape: Shape, keys: sql.Composable) -> sql.Composed:
    back = columns.back(shape, "t")
    parts: dict[str, sql.Composable] = _sides(shape) | {
        "keys": keys,
        "gone": shape.gone,
        "gone_key": columns.key_match(shape, "g", None, "k", None),
        "gone_keys": columns.comma(columns.key_of(shape, "g", None)),
        "source_gone_key": columns.key_match(shape, "s", "source", "g", None),
        "target_key": columns.key_match(shape, "t", "target", "g", None),
        "gone_back_key": columns.key_match(shape, "g", None, "b", None),
        "source_keys": columns.comma(
            sql.SQL("{} AS {}").format(columns.column("s", key.source), sql.Identifier(key.name))
            for key in shape.key
        ),
    }
    if shape.move.active is None:
        known = {name: part for name, part in back.items() if not shape.source.columns[name].generated}
        row = {
            name: known.get(name, columns.column("i", name))
            for name, column in shape.source.columns.items()
            if not column.generated
        }
        return statements.compose(
            "mirror_reinsert", columns=columns.names(row), values=columns.values(row), **parts
        )
    return statements.compose(
        "mirror_revive",
        gone_identities=columns.comma(columns.column("g", name) for name in shape.identity_names),
        assignments=columns.assignments(back | columns.living(shape), but=_key_names(shape, "source")),
        active=sql.SQL("coalesce({}, false)").format(columns.active(shape, "s")),
        identity=columns.both(
            sql.SQL("{} = {}").format(columns.column("s", of.name), columns.column("g", name))
            for of, name in zip(shape.identity, shape.identity_names, strict=True)
        ),
        **parts,
    )
