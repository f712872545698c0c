"""The tables of one run in the ledger, typed by the key: ``touched``, ``dirty``, ``gone``, ``before``."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine import statements
from migration_runs.engine.move import columns
from migration_runs.engine.move.names import Shape


def create(conn: psycopg.Connection[Any], shape: Shape) -> None:
    """Create those that are missing, in the caller's (fenced) transaction."""
    identities = zip(shape.identity_names, shape.identity, strict=True)
    conn.execute(
        statements.compose(
            "run_tables",
            touched=shape.touched,
            touched_index=sql.Identifier(f"{shape.prefix}touched_key"),
            dirty=shape.dirty,
            gone=shape.gone,
            gone_index=sql.Identifier(f"{shape.prefix}gone_key"),
            gone_identity_index=sql.Identifier(f"{shape.prefix}gone_identity"),
            before=shape.before,
            keys=columns.key_list(shape, None),
            key_columns=columns.comma(_declared(key.name, key.type) for key in shape.key),
            identities=columns.comma(sql.Identifier(name) for name in shape.identity_names),
            identity_columns=columns.comma(_declared(name, of.type) for name, of in identities),
        )
    )


def exist(conn: psycopg.Connection[Any], shape: Shape) -> bool:
    """Whether this run has them."""
    row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (shape.before.as_string(),)).fetchone()
    return bool(row and row[0])


def complete(conn: psycopg.Connection[Any], shape: Shape) -> bool:
    """Whether this run has them all: one that began with an earlier version may lack the newest."""
    row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (shape.dirty.as_string(),)).fetchone()
    return bool(row and row[0])


def _declared(name: str, type_name: str) -> sql.Composed:
    return sql.SQL("{} {} NOT NULL").format(sql.Identifier(name), columns.trusted(type_name))
