"""The trigger functions of a move, made from its shape: one per direction, serving all three events."""

from __future__ import annotations

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import columns, mirroring
from migration_runs.engine.move.mirroring import Mode
from migration_runs.engine.move.names import Direction, Shape, Side

LOCK_TIMEOUT = "50ms"
"""Far below PostgreSQL's deadlock_timeout (1 s): a trigger gives way before anybody looks for a deadlock."""

DEEPEST = 8
"""Nested deeper than this, a trigger only notes its keys: two sides that answer each other come to an end."""

GIVES_WAY = (
    "lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation "
    "OR cardinality_violation"
)

_SETS = ("keys", "olds", "lost")


def function(shape: Shape, direction: Direction, mode: Mode, *, runner: str) -> sql.Composed:
    """CREATE OR REPLACE of the direction's trigger function. ``runner`` is the role that drains."""
    return statements.compose(
        "mirror_function",
        function=shape.function(direction),
        lock_timeout=sql.Literal(LOCK_TIMEOUT),
        body=sql.Literal(body(shape, direction, mode, runner=runner).as_string()),
    )


def body(shape: Shape, direction: Direction, mode: Mode, *, runner: str) -> sql.Composed:
    """The function's PL/pgSQL, to be put into CREATE FUNCTION as a literal: no name can end it early."""
    side = mirroring.WRITER[direction]
    every = _keys(shape, "keys")
    retiring = direction == "forward" and mode == "retire"
    reviving = _forget_gone(shape) if retiring else sql.SQL("")
    # While the source is being retired, a row that new code writes may have no source row to show for it:
    # its key must say that the target has the last word.
    more = "keys" if mode == "update_only" else "olds"
    return statements.compose(
        "mirror_body",
        declarations=_declarations(shape, side),
        side=sql.Literal(side),
        runner=sql.Literal(runner),
        deepest=sql.Literal(DEEPEST),
        collect_new=_collect(shape, direction, ("new_rows",), retiring=retiring),
        collect_old=_collect(shape, direction, ("old_rows",), retiring=retiring),
        collect_both=_collect(shape, direction, ("old_rows", "new_rows"), retiring=retiring),
        no_keys=sql.SQL("{} IS NULL").format(_variable("keys", 1)),
        on_revival=reviving,
        notes_more=sql.SQL("NOT echo AND {} IS NOT NULL").format(_variable(more, 1)),
        note_more=_note(shape, _keys(shape, more)),
        note_all=_note(shape, every),
        difference=mirroring.difference(shape, every),
        write=_write(shape, direction, mode),
        some_lost=sql.SQL("{} IS NOT NULL").format(_variable("lost", 1)),
        remove=_planned_anew(shape, mirroring.remove(shape, direction, _parameters(shape)), "lost"),
        gives_way=sql.SQL("OTHERS" if shape.move.on_error == "record" else GIVES_WAY),
    )


def _variable(name: str, number: int) -> sql.Identifier:
    return sql.Identifier(f"{name}_{number}")


def _variables(shape: Shape, *names: str) -> list[sql.Identifier]:
    return [_variable(name, number) for name in names for number in range(1, len(shape.key) + 1)]


def _keys(shape: Shape, name: str) -> sql.Composed:
    return mirroring.keys_from(shape, [_variable(name, number) for number in range(1, len(shape.key) + 1)])


def _parameters(shape: Shape) -> sql.Composed:
    return mirroring.keys_from(
        shape, [columns.trusted(f"${number}") for number in range(1, len(shape.key) + 1)]
    )


def _planned_anew(shape: Shape, statement: sql.Composed, name: str) -> sql.Composed:
    """A joining statement as dynamic SQL: a plan kept from when a table was small would be ruinous later."""
    variables = columns.comma(_variable(name, number) for number in range(1, len(shape.key) + 1))
    return sql.SQL("EXECUTE {} USING {}").format(sql.Literal(statement.as_string()), variables)


def _write(shape: Shape, direction: Direction, mode: Mode) -> sql.Composed:
    first = mirroring.write_first(shape, direction, mode, _parameters(shape))
    then = mirroring.write(shape, direction, mode, _keys(shape, "keys"))
    parts = [] if first is None else [_planned_anew(shape, first, "keys")]
    return sql.SQL(";\n        ").join([*parts, *([] if then is None else [then])])


def _declarations(shape: Shape, side: Side) -> sql.Composed:
    lines = []
    for name in _SETS:
        for number, key in enumerate(shape.key, start=1):
            of = shape.table(side).columns[columns.key_name(key, side)]
            lines.append(sql.SQL("{} {}[];").format(_variable(name, number), columns.trusted(of.type)))
    return sql.SQL("\n    ").join(lines)


def _collect(shape: Shape, direction: Direction, tables: tuple[str, ...], *, retiring: bool) -> sql.Composed:
    """Keys of the statement's rows that are in scope and lived before it or live after it."""
    side = mirroring.WRITER[direction]
    branches = []
    for table in tables:
        old = table == "old_rows"
        rows = columns.source_rows(shape, "r") if side == "source" else columns.target_scope(shape, "r")
        if old and retiring:
            rows = columns.both([rows, sql.SQL("NOT ") + _is_gone(shape)])
        named = columns.comma(
            sql.SQL("{} AS {}").format(
                columns.column("r", columns.key_name(key, side)), sql.Identifier(key.name)
            )
            for key in shape.key
        )
        branches.append(
            sql.SQL("SELECT {}, {} AS was, {} AS stays FROM {} AS r WHERE {}").format(
                named, sql.SQL("true" if old else "false"), sql.SQL("false" if old else "true"),
                sql.Identifier(table), rows,
            )
        )  # fmt: skip
    both = len(tables) > 1
    conditions = {
        "keys": "",
        "olds": " FILTER (WHERE r.was)",
        "lost": " FILTER (WHERE r.was AND NOT r.stays)",
    }
    sets = _SETS if both else _SETS[:1]
    scoped = [key.name for key in shape.key if key.source in shape.move.scope]
    collected = statements.compose(
        "mirror_collect",
        aggregates=columns.comma(
            sql.SQL("array_agg({}){}").format(columns.column("r", key), sql.SQL(conditions[name]))
            for name in sets
            for key in shape.key_names
        ),
        variables=columns.comma(_variables(shape, *sets)),
        keys=columns.comma(columns.key_of(shape, "r", None)),
        order=columns.comma(
            columns.column("r", name) for name in sorted(shape.key_names, key=lambda name: name in scoped)
        ),
        was_and_stays=sql.SQL(", bool_or(r.was) AS was, bool_or(r.stays) AS stays" if both else ""),
        rows=sql.SQL(" UNION ALL ").join(branches),
    )
    # Of inserted rows none lived before; of deleted ones all did, and none does now.
    same = () if both or tables == ("new_rows",) else _SETS[1:]
    assigned = [
        sql.SQL("{} := {}").format(variable, keys)
        for name in same
        for variable, keys in zip(_variables(shape, name), _variables(shape, "keys"), strict=True)
    ]
    return sql.SQL(";\n        ").join([collected, *assigned])


def _is_gone(shape: Shape) -> sql.Composed:
    # The very row, not its key alone: a transaction with an older snapshot may bring the key back to life in
    # another row and not see the entry that it should forget. Where rows are deleted, key and row are one.
    identity = (
        sql.SQL("{} = {}").format(columns.column("g", name), columns.column("r", of.name))
        for of, name in zip(shape.identity, shape.identity_names, strict=True)
    )
    # OFFSET 0: a lookup by key for each row, however long the list has become since the plan was made.
    return sql.SQL("EXISTS (SELECT FROM {} AS g WHERE {} OFFSET 0)").format(
        shape.gone, columns.both([columns.key_match(shape, "g", None, "r", "source"), *identity])
    )


def _forget_gone(shape: Shape) -> sql.Composed:
    """A key that the application brought to life in the source is no longer one that this run retired.

    Nor is one whose living row it takes away: had the run retired that row, the key would not be met here.
    """
    forget = sql.SQL("DELETE FROM {} AS g USING {} WHERE {}").format(
        shape.gone, _parameters(shape), columns.key_match(shape, "g", None, "k", None)
    )
    return sql.SQL("{};").format(_planned_anew(shape, forget, "keys"))


def _note(shape: Shape, keys: sql.Composable) -> sql.Composed:
    return sql.SQL("INSERT INTO {} (side, {}) SELECT origin, {} FROM {}").format(
        shape.touched,
        columns.key_list(shape, None),
        columns.comma(columns.key_of(shape, "k", None)),
        keys,
    )
