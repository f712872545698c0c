"""Reads a move's two tables as they are, and refuses aloud what the protocol could not keep equal."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migration_runs.engine import statements
from migration_runs.engine.move import admission
from migration_runs.engine.move.names import Column, KeyColumn, Shape, Table
from migration_runs.exceptions import EngineError
from migration_runs.runbook.move import Move


def resolve(
    conn: psycopg.Connection[Any], move: Move, run_uid: uuid.UUID, *, prove_key: bool = False
) -> Shape:
    """The move's shape from the catalog of the target database.

    Raises EngineError for a missing table or column, a partitioned table, rows that row-level security
    would hide, missing ownership, an unmapped column, a type that cannot be compared or would change a
    value. ``prove_key`` also has the server look for the key's unique index on both sides, which takes the
    lock of a writer for an instant: asked once, before anything changes (LockNotAvailable may come of it).
    """
    with conn.transaction():
        # With nothing but pg_catalog on the path, the catalog prints every other name qualified.
        before = conn.execute("SELECT current_setting('search_path')").fetchone()
        conn.execute("SELECT set_config('search_path', 'pg_catalog', true)")
        source, target = _table(conn, move.source), _table(conn, move.target)
        admission.check_mapping(move, source, target)
        key = tuple(
            KeyColumn(name, _mapped_to(move, name), source.columns[name].type, f"k{number}")
            for number, name in enumerate(move.key, start=1)
        )
        shape = Shape(
            run_uid=run_uid,
            move=move,
            source=source,
            target=target,
            key=key,
            identity=tuple(source.columns[name] for name in source.identity or move.key),
            warnings=admission.warnings(target),
        )
        if prove_key:
            admission.check_unique_index(conn, shape)
        # In an outer transaction the setting would outlast this block.
        conn.execute("SELECT set_config('search_path', %s, true)", before)
    return shape


def _mapped_to(move: Move, source_column: str) -> str:
    for target_column, made_of in move.columns.items():
        if made_of == source_column:
            return target_column
    raise EngineError(
        f"key column {source_column} of {move.source} is not mapped to a column of {move.target}"
    )


def _table(conn: psycopg.Connection[Any], name: str) -> Table:
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("move_table"), {"name": statements.quoted(name)})
        facts = cursor.fetchone()
        if facts is None:
            raise EngineError(
                f"there is no table {name} in the target database",
                kept="everything; nothing was changed",
                next_step="find out who renamed or dropped it, bring it back, then try again",
            )
        _refuse_table(name, facts)
        cursor.execute(statements.load("move_columns"), {"oid": facts["oid"]})
        columns = {row["name"]: Column(**row) for row in cursor.fetchall()}
    schema, _, table = name.rpartition(".")
    return Table(
        schema=schema or "public",
        name=table,
        oid=facts["oid"],
        columns=columns,
        identity=tuple(facts["primary_key"]),
        before_row_triggers=tuple(facts["before_row_triggers"]),
    )


def _refuse_table(name: str, facts: Mapping[str, Any]) -> None:
    if facts["relkind"] == "p" or facts["is_partition"] or facts["has_children"] or facts["is_child"]:
        raise EngineError(
            f"{name} is partitioned, a partition, or inherits: "
            "a statement on one part would pass the sync triggers by"
        )
    if facts["relkind"] != "r":
        raise EngineError(f"{name} is not an ordinary table")
    if not facts["owned"]:
        raise EngineError(
            f"the runner's role has not the rights of {facts['owner']}, who owns {name}: "
            "it could neither put triggers on it nor see all its rows",
            next_step=f"grant membership of {facts['owner']} to the runner's role, then retry",
        )
    if facts["rows_hidden"]:
        raise EngineError(
            f"row-level security hides rows of {name} from the runner (forced for its owner, too)",
            next_step="give the runner's role BYPASSRLS, or take FORCE ROW LEVEL SECURITY away, then retry",
        )
