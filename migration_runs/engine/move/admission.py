"""Which moves the protocol takes: every column accounted for, every value able to go there and back.

The rule behind all of it: a value written on either side must arrive on the other unchanged or be refused
aloud; a pair of columns that would round or cut it silently is not taken.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors, sql

from migration_runs.engine.move import columns
from migration_runs.engine.move.names import Column, Shape, Side, Table
from migration_runs.exceptions import EngineError
from migration_runs.runbook.move import Move, Pack

_WHOLE_NUMBERS = frozenset({"smallint", "integer", "bigint"})
_TEXTS = frozenset({"text", "character varying"})


def check_mapping(move: Move, source: Table, target: Table) -> None:
    """Raises EngineError where a column is missing, unaccounted for, or of a type that changes values."""
    _check_known(move, source, target)
    _check_complete(move, source, target)
    _check_key(move, source, target)
    for name, made_of in move.columns.items():
        column = target.columns[name]
        if column.generated or column.identity == "a":
            raise EngineError(
                f"{target}.{name} is filled by the table itself: list target.{name} in left_out"
            )
        if not column.comparable or not column.known or column.loose_collation:
            raise _uncomparable(target, column)
        if isinstance(made_of, str):
            _check_pair(source, source.columns[made_of], target, column)
        elif isinstance(made_of, Pack):
            _check_pack(made_of, source, target, column)
        elif made_of.const is None and column.not_null:
            raise EngineError(f"{target}.{name} is NOT NULL, and its constant is null")


def _check_known(move: Move, source: Table, target: Table) -> None:
    wanted = {*move.key, *move.scope, move.chunk_column}
    if move.active:
        wanted.add(move.active.column)
    for made_of in move.columns.values():
        if isinstance(made_of, str):
            wanted.add(made_of)
        elif isinstance(made_of, Pack):
            wanted |= set(made_of.pack)
    _refuse_missing(source, wanted)
    _refuse_missing(target, set(move.columns))
    for entry in move.left_out:
        side, _, name = entry.partition(".")
        table = {"source": source, "target": target}.get(side)
        if table is None:
            raise EngineError(f"left_out names columns as source.NAME or target.NAME, not {entry!r}")
        _refuse_missing(table, {name})


def _refuse_missing(table: Table, wanted: set[str]) -> None:
    missing = sorted(wanted - table.columns.keys())
    if missing:
        raise EngineError(f"{table} has no column {', '.join(missing)}")


def _check_complete(move: Move, source: Table, target: Table) -> None:
    """No column may get lost for want of being mentioned."""
    used = {*move.scope}
    if move.active:
        used.add(move.active.column)
    for made_of in move.columns.values():
        used |= {made_of} if isinstance(made_of, str) else set(getattr(made_of, "pack", ()))
    left = {entry.partition(".")[::2] for entry in move.left_out}
    forgotten = [f"source.{name}" for name in source.columns.keys() - used if ("source", name) not in left]
    forgotten += [
        f"target.{name}"
        for name in target.columns.keys() - move.columns.keys()
        if ("target", name) not in left
    ]
    if forgotten:
        raise EngineError(
            f"the move says nothing of {', '.join(sorted(forgotten))}: map, pack, or list them in left_out",
            kept="nothing was changed",
        )
    for side, name in left:
        column = (source if side == "source" else target).columns[name]
        if column.not_null and column.default is None and not _fills_itself(column):
            raise EngineError(f"{side}.{name} is left out, but is NOT NULL and has no default")


def _fills_itself(column: Column) -> bool:
    # An identity column has no default expression, and is NOT NULL by itself.
    return column.generated or column.identity == "a" or column.type in _WHOLE_NUMBERS


def _check_key(move: Move, source: Table, target: Table) -> None:
    plain = {made_of: name for name, made_of in move.columns.items() if isinstance(made_of, str)}
    for name in move.key:
        if name not in plain:
            raise EngineError(f"key column {name} must be mapped unchanged to a column of {target}")
        for table, column in ((source, source.columns[name]), (target, target.columns[plain[name]])):
            if not column.not_null:
                raise EngineError(f"{table}.{column.name} belongs to the key and must be NOT NULL")
            if not column.comparable or not column.known or column.loose_collation:
                raise _uncomparable(table, column)
            if column.is_array:
                raise EngineError(f"{table}.{column.name} belongs to the key and cannot be an array")
    if not source.identity and move.active:
        raise EngineError(f"{source} has no primary key: its withdrawn rows cannot be told apart")


def _check_pair(source: Table, of: Column, target: Table, to: Column) -> None:
    if of.base_type == to.base_type and (of.typmod == to.typmod or of.base_type in _TEXTS):
        return
    if {of.base_type, to.base_type} <= _WHOLE_NUMBERS or {of.base_type, to.base_type} <= _TEXTS:
        return
    raise EngineError(
        f"{source}.{of.name} ({_described(of)}) cannot become {target}.{to.name} ({_described(to)}) "
        "and come back unchanged",
        next_step="give both columns the same type, or pack the column",
    )


def _described(column: Column) -> str:
    return column.type if column.typmod < 0 else f"{column.type} with modifier {column.typmod}"


def _check_pack(pack: Pack, source: Table, target: Table, column: Column) -> None:
    if column.base_type != "jsonb":
        raise EngineError(f"{target}.{column.name} is {column.type}; only a jsonb column can pack others")
    for name in pack.pack:
        packed = source.columns[name]
        if not packed.known:
            raise _uncomparable(source, packed)
        if packed.not_null and packed.default is None and pack.default.get(name) is None:
            raise EngineError(
                f"{source}.{name} is NOT NULL and packed into {target}.{column.name}: "
                "the pack must say its default, for target rows that lack it"
            )
    if set(pack.literal) & set(pack.pack):
        raise EngineError(f"{target}.{column.name} packs a column and a literal under the same name")


def _uncomparable(table: Table, column: Column) -> EngineError:
    return EngineError(f"{table}.{column.name}: values of type {column.type} cannot be compared exactly")


def check_unique_index(conn: psycopg.Connection[Any], shape: Shape) -> None:
    """Raises EngineError unless each side has the unique index of the key, as the server itself infers it."""
    sides: tuple[Side, ...] = ("source", "target")
    for side in sides:
        explain = sql.SQL(
            "EXPLAIN INSERT INTO {table} ({keys}) SELECT {nulls} WHERE false ON CONFLICT {where} DO NOTHING"
        ).format(
            table=shape.table(side).sql,
            keys=columns.key_list(shape, side),
            nulls=columns.comma(sql.SQL("NULL") for _ in shape.key),
            where=columns.conflict_target(shape, side),
        )
        try:
            with conn.transaction():
                conn.execute(explain)
        except errors.InvalidColumnReference as error:
            rows = " of active rows" if side == "source" and shape.move.active else ""
            names = ", ".join(columns.key_name(key, side) for key in shape.key)
            raise EngineError(
                f"{shape.table(side)} has no unique index on ({names}){rows}: "
                "nothing would keep a row from existing twice",
                kept="nothing was changed",
                next_step="create the index in phase 2, then retry",
            ) from error


def warnings(target: Table) -> tuple[str, ...]:
    """What people should know before dual-write goes on."""
    if not target.before_row_triggers:
        return ()
    return (
        (
            f"{target} has BEFORE ROW triggers ({', '.join(target.before_row_triggers)}): one that changes a "
            "mapped value makes the two sides answer each other until the depth limit stops them"
        ),
    )
