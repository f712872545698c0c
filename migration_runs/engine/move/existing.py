"""Target rows that are there before dual-write begins: compared, remembered, and put on the list."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine import ledger, statements
from migration_runs.engine.job import Job
from migration_runs.engine.move import columns
from migration_runs.engine.move.names import Shape
from migration_runs.exceptions import StepFailed


def refuse_different(conn: psycopg.Connection[Any], shape: Shape) -> int:
    """How many target rows in scope are not what the source says.

    Raises StepFailed with the first keys when there are any and the move's ``on_different`` is ``refuse``.
    """
    row = conn.execute(
        statements.compose(
            "existing_compare", key_text=columns.key_text(shape, "t", "target"), **_parts(shape)
        )
    ).fetchone()
    assert row is not None
    different, examples = row
    if different and shape.move.on_different == "refuse":
        first = "; ".join(", ".join(key) for key in examples)
        raise StepFailed(
            f"{shape.target} already holds {different} row(s) of this move that differ from {shape.source} "
            f"or have no row there, first: {first}",
            kept="nothing was changed",
            next_step='correct or remove these rows, or declare on_different = "overwrite" in the runbook',
        )
    return int(different)


def remember(conn: psycopg.Connection[Any], job: Job, shape: Shape) -> int:
    """Keep the keys of all target rows in scope, with images of those that differ; how many there are.

    To be called before forward goes on: afterwards mirrored rows would be taken for old ones.
    """
    with ledger.fenced(conn, job):
        conn.execute(sql.SQL("DELETE FROM {}").format(shape.before))
        return conn.execute(
            statements.compose(
                "existing_keep",
                before=shape.before,
                keys=columns.key_list(shape, None),
                target_keys=columns.comma(columns.key_of(shape, "t", "target")),
                **_parts(shape),
            )
        ).rowcount


def touch(conn: psycopg.Connection[Any], job: Job, shape: Shape) -> int:
    """Put the remembered keys on the list; after forward is on. Safe to do again."""
    with ledger.fenced(conn, job):
        return conn.execute(
            statements.compose(
                "existing_touch",
                touched=shape.touched,
                keys=columns.key_list(shape, None),
                before=shape.before,
            )
        ).rowcount


def _parts(shape: Shape) -> dict[str, sql.Composable]:
    return {
        "source": shape.source.sql,
        "target": shape.target.sql,
        "join": columns.key_match(shape, "s", "source", "t", "target"),
        "source_rows": columns.source_rows(shape, "s"),
        "target_scope": columns.target_scope(shape, "t"),
        "source_here": columns.key_of(shape, "s", "source")[0],
        "equal": columns.equal(shape, "s", "t"),
    }
