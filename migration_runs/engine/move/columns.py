"""A source row written as a target row, and back: the SQL that every part of the protocol shares.

Every function takes the alias under which the row is known in the statement. Two rows are *equal* when the
target's mapped columns are not distinct from the image of the source row; both directions use this one
rule, so that an echo finds nothing to do and ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from migration_runs.engine.move.names import Column, KeyColumn, Shape, Side
from migration_runs.runbook.move import Const, Pack

Parts = dict[str, sql.Composable]
_PAIRS_PER_CALL = 40  # a function takes 100 arguments at most


def trusted(text: str) -> sql.SQL:
    """Text that the catalog printed (a type, a default), as SQL. Never for what a plan or a person wrote."""
    return sql.SQL(text)


def comma(parts: Iterable[sql.Composable]) -> sql.Composed:
    """Joined by commas."""
    return sql.SQL(", ").join(parts)


def both(parts: Iterable[sql.Composable]) -> sql.Composable:
    """Joined by AND; ``true`` when there is none."""
    found = list(parts)
    return sql.SQL("(") + sql.SQL(" AND ").join(found) + sql.SQL(")") if found else sql.SQL("true")


def column(alias: str, name: str) -> sql.Identifier:
    """``alias.name``."""
    return sql.Identifier(alias, name)


def value(given: Any, of: Column) -> sql.Composable:
    """A plan's value as a constant of the column's type."""
    if given is None:
        return sql.SQL("NULL::") + trusted(of.type)
    if of.base_type == "jsonb":
        given = json.dumps(given)
    elif isinstance(given, bool):
        given = "true" if given else "false"
    return sql.Literal(str(given)) + sql.SQL("::") + trusted(of.type)


# -- which rows


def active(shape: Shape, alias: str) -> sql.Composable:
    """Whether the source row lives."""
    rule = shape.move.active
    if rule is None:
        return sql.SQL("true")
    if rule.is_null:
        return sql.SQL("({} IS NULL)").format(column(alias, rule.column))
    live = value(rule.equals, shape.source.columns[rule.column])
    return sql.SQL("({} = {})").format(column(alias, rule.column), live)


def source_scope(shape: Shape, alias: str) -> sql.Composable:
    """Whether the source row is one that this move is about, living or withdrawn."""
    return both(
        sql.SQL("{} = {}").format(column(alias, name), value(given, shape.source.columns[name]))
        for name, given in shape.move.scope.items()
    )


def target_scope(shape: Shape, alias: str) -> sql.Composable:
    """Whether the target row is one that this move is about: its mapped scope columns hold it."""
    return both(
        sql.SQL("{} = {}").format(
            column(alias, name), value(shape.move.scope[made_of], shape.target.columns[name])
        )
        for name, made_of in shape.move.columns.items()
        if isinstance(made_of, str) and made_of in shape.move.scope
    )


def source_rows(shape: Shape, alias: str) -> sql.Composable:
    """Whether the source row is active and in scope: whether it must exist in the target."""
    return both([source_scope(shape, alias), active(shape, alias)])


def rows_of_keys(shape: Shape, alias: str, side: Side) -> sql.Composable:
    """The same for rows that are found by the key of a row in scope.

    Where the key says the scope already, the condition is left out: tables without statistics would have
    the planner believe that it leaves hardly a row, and scan them once per key.
    """
    if set(shape.move.scope) <= set(shape.move.key):
        return active(shape, alias) if side == "source" else sql.SQL("true")
    return source_rows(shape, alias) if side == "source" else target_scope(shape, alias)


# -- keys


def key_of(shape: Shape, alias: str, side: Side | None) -> list[sql.Composable]:
    """The key's columns of a row of that side; of our own tables (``k1`` ...) where ``side`` is None."""
    return [column(alias, key_name(key, side)) for key in shape.key]


def key_name(key: KeyColumn, side: Side | None) -> str:
    """What that side calls the key's column."""
    return key.name if side is None else key.source if side == "source" else key.target


def key_list(shape: Shape, side: Side | None) -> sql.Composed:
    """The key's bare column names of that side, by commas."""
    return comma(sql.Identifier(key_name(key, side)) for key in shape.key)


def key_match(
    shape: Shape, left: str, left_side: Side | None, right: str, right_side: Side | None
) -> sql.Composable:
    """Whether two rows have the same key."""
    pairs = zip(key_of(shape, left, left_side), key_of(shape, right, right_side), strict=True)
    return both(sql.SQL("{} = {}").format(a, b) for a, b in pairs)


def key_text(shape: Shape, alias: str, side: Side | None) -> sql.Composed:
    """``ARRAY[key::text ...]``: a key as people read it, and as it goes out and comes back unchanged."""
    return (
        sql.SQL("ARRAY[")
        + comma(sql.SQL("{}::text").format(part) for part in key_of(shape, alias, side))
        + sql.SQL("]")
    )


def conflict_target(shape: Shape, side: Side) -> sql.Composed:
    """``(key) WHERE active``: how ON CONFLICT names the side's unique index."""
    where: sql.Composable = sql.SQL("")
    if side == "source" and shape.move.active is not None:
        rule = shape.move.active
        name = sql.Identifier(rule.column)
        where = (
            sql.SQL(" WHERE {} IS NULL").format(name)
            if rule.is_null
            else sql.SQL(" WHERE {} = {}").format(name, value(rule.equals, shape.source.columns[rule.column]))
        )
    return sql.SQL("(") + key_list(shape, side) + sql.SQL(")") + where


# -- images


def image(shape: Shape, alias: str) -> Parts:
    """For each target column of the move, its value for the source row ``alias``."""
    made: Parts = {}
    for name, made_of in shape.move.columns.items():
        if isinstance(made_of, str):
            made[name] = column(alias, made_of)
        elif isinstance(made_of, Const):
            made[name] = value(made_of.const, shape.target.columns[name])
        else:
            made[name] = _packed(made_of, alias)
    return made


def target_row(shape: Shape, alias: str) -> Parts:
    """For each target column of the move, its value in the target row ``alias``."""
    return {name: column(alias, name) for name in shape.move.columns}


def target_list(shape: Shape) -> sql.Composed:
    """The move's target columns, by commas, in the order of :func:`image`."""
    return comma(sql.Identifier(name) for name in shape.move.columns)


def _packed(pack: Pack, alias: str) -> sql.Composable:
    pairs = [sql.SQL("{}, {}").format(sql.Literal(name), column(alias, name)) for name in pack.pack] + [
        sql.SQL("{}, {}::jsonb").format(sql.Literal(name), sql.Literal(json.dumps(given)))
        for name, given in pack.literal.items()
    ]
    calls = [
        sql.SQL("jsonb_build_object({})").format(comma(pairs[start : start + _PAIRS_PER_CALL]))
        for start in range(0, max(1, len(pairs)), _PAIRS_PER_CALL)
    ]
    return sql.SQL("(") + sql.SQL(" || ").join(calls) + sql.SQL(")")


def back(shape: Shape, alias: str) -> Parts:
    """For each source column that the target row ``alias`` knows, its value: mapped, packed, scope.

    Columns that are left out or generated are not in it: the source fills them by itself.
    """
    made: Parts = {}
    for name, made_of in shape.move.columns.items():
        if isinstance(made_of, str):
            made.setdefault(made_of, column(alias, name))
        elif isinstance(made_of, Pack):
            for packed in made_of.pack:
                made.setdefault(
                    packed, _unpacked(shape, made_of, column(alias, name), shape.source.columns[packed])
                )
    for name, given in shape.move.scope.items():
        made.setdefault(name, value(given, shape.source.columns[name]))
    return {name: part for name, part in made.items() if not shape.source.columns[name].generated}


def living(shape: Shape) -> Parts:
    """The column and value that make a source row active; empty where every row is."""
    rule = shape.move.active
    if rule is None:
        return {}
    of = shape.source.columns[rule.column]
    return {rule.column: value(None if rule.is_null else rule.equals, of)}


def retired(shape: Shape) -> Parts:
    """The column and value that withdraw a source row; empty where rows are deleted instead."""
    rule = shape.move.active
    if rule is None:
        return {}
    of = shape.source.columns[rule.column]
    if rule.is_null:
        return {rule.column: sql.SQL("now()::") + trusted(of.type)}
    return {rule.column: value(rule.retired, of)}


def _unpacked(shape: Shape, pack: Pack, container: sql.Composable, of: Column) -> sql.Composable:
    """A packed column read from its key, or its default where the key is absent."""
    name = sql.Literal(of.name)
    if of.base_type == "jsonb":
        # The image of SQL NULL is JSON null, which therefore comes back as SQL NULL.
        found: sql.Composable = sql.SQL("NULLIF({} -> {}, 'null'::jsonb)").format(container, name)
    elif of.is_array or of.kind == "c":
        found = sql.SQL("(jsonb_populate_record(NULL::{}, {})).{}").format(
            shape.source.sql, container, sql.Identifier(of.name)
        )
    else:
        found = sql.SQL("({} ->> {})::{}").format(container, name, trusted(of.type))
    return sql.SQL("CASE WHEN ({} -> {}) IS NULL THEN {} ELSE {} END").format(
        container, name, _default(pack, of), found
    )


def _default(pack: Pack, of: Column) -> sql.Composable:
    if of.name in pack.default:
        return value(pack.default[of.name], of)
    return trusted(f"({of.default})") if of.default is not None else value(None, of)


# -- comparing


def equal(shape: Shape, source: str, target: str) -> sql.Composable:
    """Whether the target row is the source row's image in every mapped column; NULL equals NULL, exactly."""
    return _alike(image(shape, source), target_row(shape, target))


def alike_sources(shape: Shape, left: str, right: str) -> sql.Composable:
    """Whether two source rows have the same image."""
    return _alike(image(shape, left), image(shape, right))


def alike_targets(shape: Shape, left: str, right: str) -> sql.Composable:
    """Whether two target rows are equal in every mapped column."""
    return _alike(target_row(shape, left), target_row(shape, right))


def _alike(left: Parts, right: Parts) -> sql.Composable:
    # Constants on both sides (the image of two source rows) need no comparing, but do no harm.
    return both(sql.SQL("{} IS NOT DISTINCT FROM {}").format(left[name], right[name]) for name in left)


# -- lists for INSERT and UPDATE


def names(parts: Parts) -> sql.Composed:
    """The columns' names, by commas."""
    return comma(sql.Identifier(name) for name in parts)


def values(parts: Parts) -> sql.Composed:
    """The columns' values, by commas, in the same order."""
    return comma(parts.values())


def assignments(parts: Parts, *, but: Sequence[str] = ()) -> sql.Composed:
    """``name = value, ...`` without the columns in ``but``."""
    return comma(
        sql.SQL("{} = {}").format(sql.Identifier(name), part)
        for name, part in parts.items()
        if name not in but
    )


def excluded(parts: Parts) -> Parts:
    """The same columns with the values of the row that ON CONFLICT refused."""
    return {name: column("excluded", name) for name in parts}
