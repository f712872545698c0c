"""The trigger functions of a move, made from its shape: one per direction, serving all three events."""

from __future__ import annotations

from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import columns, mirroring
from migration_runs.engine.move.mirror_keys import TriggerKeys
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
    keys = TriggerKeys(shape, side)
    every = keys.given("keys")
    retiring = direction == "forward" and mode == "retire"
    lived, live = _alive(shape, side, retiring=retiring), _alive(shape, side)
    rows = {"old_rows": lived, "new_rows": live}
    # While the source is being retired, a row that new code writes may have no source row to show for it:
    # its key must say that the target has the last word.
    more = "keys" if mode == "update_only" else "olds"
    return statements.compose(
        "mirror_body",
        declarations=keys.declarations,
        side=sql.Literal(side),
        runner=sql.Literal(runner),
        deepest=sql.Literal(DEEPEST),
        # Rows that a rollback has just revived are there.
        careful=sql.SQL("true" if mode == "revive" else "TG_OP <> 'INSERT'"),
        collect_new=keys.collect({"keys": "new_rows"}, rows),
        collect_old=keys.collect({"keys": "old_rows"}, rows),
        collect_both=keys.collect({"olds": "old_rows", "news": "new_rows"}, rows),
        all_lost=sql.SQL("; ").join([keys.becomes("olds", "keys"), keys.becomes("lost", "keys")]),
        same=keys.same("olds", "news"),
        no_olds=keys.none("olds"),
        no_news=keys.none("news"),
        no_keys=keys.none("keys"),
        keys_are_olds=keys.becomes("keys", "olds"),
        keys_are_news=keys.becomes("keys", "news"),
        lost_are_olds=keys.becomes("lost", "olds"),
        moved=keys.moved,
        on_revival=_forget_gone(shape, keys) if retiring else sql.SQL(""),
        notes_more=sql.SQL("NOT echo AND {}").format(keys.some(more)),
        note_more=_note(shape, keys.given(more)),
        note_all=_note(shape, every),
        difference=mirroring.difference(shape, every),
        seen_twice=mirroring.seen_twice(shape, direction, every),
        write_over=_write(shape, direction, mode, keys, over=True),
        write_new=_write(shape, direction, mode, keys, over=False),
        some_lost=keys.some("lost"),
        remove=_planned_anew(mirroring.remove(shape, direction, keys.parameters), keys.using("lost")),
        gives_way=sql.SQL("OTHERS" if shape.move.on_error == "record" else GIVES_WAY),
    )


def _planned_anew(statement: sql.Composed, given: sql.Composed) -> sql.Composed:
    """A joining statement as dynamic SQL: a plan kept from when a table was small would be ruinous later."""
    return sql.SQL("EXECUTE {} USING {}").format(sql.Literal(statement.as_string()), given)


def _write(shape: Shape, direction: Direction, mode: Mode, keys: TriggerKeys, *, over: bool) -> sql.Composed:
    first = mirroring.write_first(shape, direction, mode, keys.parameters)
    then = mirroring.write(shape, direction, mode, keys.rows("keys"), over=over)
    parts = [] if first is None else [_planned_anew(first, keys.using("keys"))]
    return sql.SQL(";\n                ").join([*parts, *([] if then is None else [then])])


def _alive(shape: Shape, side: Side, *, retiring: bool = False) -> sql.Composable:
    """Whether a row of a transition table is in scope and lives; while retiring, and is not retired."""
    rows = columns.source_rows(shape, "r") if side == "source" else columns.target_scope(shape, "r")
    return columns.both([rows, sql.SQL("NOT ") + _is_gone(shape)]) if retiring else rows


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


def _forget_gone(shape: Shape, keys: TriggerKeys) -> sql.Composed:
    """A key that the application brought to life in the source is no longer one that this run retired.

    Nor is one whose living row it takes away: had the run retired that row, the key would not be met here.
    """
    forget = sql.SQL("DELETE FROM {} AS g USING {} WHERE {}").format(
        shape.gone, keys.parameters, columns.key_match(shape, "g", None, "k", None)
    )
    return sql.SQL("{};").format(_planned_anew(forget, keys.using("keys")))


def _note(shape: Shape, keys: sql.Composable) -> sql.Composed:
    return sql.SQL("INSERT INTO {} (side, {}) SELECT origin, {} FROM {}").format(
        shape.touched,
        columns.key_list(shape, None),
        columns.comma(columns.key_of(shape, "k", None)),
        keys,
    )
