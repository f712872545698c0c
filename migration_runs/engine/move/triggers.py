"""Putting the sync triggers of a direction on, changing what they do, and taking them off.

Forward listens to the source, reverse to the target. Creating a trigger waits for every transaction
that has written to the table, so that no statement slips through between before and after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine import ledger, statements
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import locking, mirror_functions, mirroring
from migration_runs.engine.move.mirroring import Mode
from migration_runs.engine.move.names import Direction, Shape, Side
from migration_runs.exceptions import EngineError

EVENTS: dict[str, str] = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}
_ON = """
SELECT count(*) FROM pg_catalog.pg_trigger
 WHERE tgrelid = %s AND tgname = ANY (%s) AND tgenabled = 'A' AND NOT tgisinternal
"""


def install(
    conn: psycopg.Connection[Any],
    job: Job,
    shape: Shape,
    *,
    direction: Direction,
    mode: Mode,
    lock_ms: int,
    reporter: Reporter | None = None,
) -> None:
    """Put a direction's triggers on, in one fenced transaction per table; safe to do again.

    Forward also brings the guards against TRUNCATE on both tables. The run's tables must exist
    (:mod:`migration_runs.engine.move.run_tables`). Raises EngineError when the lock does not come
    free, StopRequested and LeaseLost while waiting for it, Fenced.
    """
    _check_mode(direction, mode)
    side = mirroring.WRITER[direction]

    def put_on() -> None:
        with ledger.fenced(conn, job):
            conn.execute(mirror_functions.function(shape, direction, mode, runner=_runner(conn)))
            _close_to_others(conn, shape, direction)
            locking.lock_tables(conn, shape, sides=(side,), lock_ms=lock_ms)
            for event, transition in EVENTS.items():
                conn.execute(
                    statements.compose(
                        "mirror_trigger",
                        trigger=shape.trigger(_event_name(direction, event)),
                        event=sql.SQL(event),
                        table=shape.table(side).sql,
                        transition=sql.SQL(transition),
                        function=shape.function(direction),
                    )
                )
            if direction == "forward":
                _guard(conn, shape, side)
            _note(conn, job, direction, mode)

    locking.retried(put_on, what=f"putting {direction} on {shape.table(side)}", reporter=reporter)
    if direction == "forward":

        def guard_target() -> None:
            with ledger.fenced(conn, job):
                locking.lock_tables(conn, shape, sides=("target",), lock_ms=lock_ms)
                _guard(conn, shape, "target")

        locking.retried(guard_target, what=f"guarding {shape.target}", reporter=reporter)


def switch(
    conn: psycopg.Connection[Any], job: Job, shape: Shape, *, direction: Direction, mode: Mode
) -> None:
    """Change what an installed direction does, in the caller's fenced transaction; takes no table lock.

    Statements that begin after the commit follow the new mode, statements of this session at once.
    """
    _check_mode(direction, mode)
    conn.execute(mirror_functions.function(shape, direction, mode, runner=_runner(conn)))
    _note(conn, job, direction, mode)


def drop(conn: psycopg.Connection[Any], job: Job, shape: Shape, *, direction: Direction) -> None:
    """Take a direction's triggers off, in the caller's fenced transaction; forward takes the guards along.

    The caller has locked both tables and drained under that lock: dropping triggers first would strand
    late writes. Waits for readers (ACCESS EXCLUSIVE); raises LockNotAvailable after the lock timeout.
    """
    table = shape.table(mirroring.WRITER[direction]).sql
    for event in EVENTS:
        _drop_trigger(conn, shape.trigger(_event_name(direction, event)), table)
    names = [direction]
    if direction == "forward":
        sides: tuple[Side, ...] = ("source", "target")
        for side in sides:
            _drop_trigger(conn, shape.trigger(f"guard_{side}"), shape.table(side).sql)
        names.append("guard")  # type: ignore[arg-type]
    for name in names:
        conn.execute(sql.SQL("DROP FUNCTION IF EXISTS {}()").format(shape.function(name)))
    conn.execute(
        "DELETE FROM phasegate.mirror WHERE run_id = %s AND direction = %s", (job.run_uid, direction)
    )


def installed(conn: psycopg.Connection[Any], shape: Shape) -> dict[Direction, Mode]:
    """Directions whose triggers are all on the table and enabled, each with its mode."""
    if not ledger.installed(conn):
        return {}
    rows = conn.execute(
        "SELECT direction, mode FROM phasegate.mirror WHERE run_id = %s ORDER BY direction", (shape.run_uid,)
    ).fetchall()
    return {direction: mode for direction, mode in rows if _all_on(conn, shape, direction)}


def _all_on(conn: psycopg.Connection[Any], shape: Shape, direction: Direction) -> bool:
    names = [shape.trigger_name(_event_name(direction, event)) for event in EVENTS]
    row = conn.execute(_ON, (shape.table(mirroring.WRITER[direction]).oid, names)).fetchone()
    return row is not None and row[0] == len(names)


def trigger_names(shape: Shape) -> Iterator[str]:
    """Every trigger that this module may put on either table."""
    for direction in mirroring.MODES:
        for event in EVENTS:
            yield shape.trigger_name(_event_name(direction, event))
    yield shape.trigger_name("guard_source")
    yield shape.trigger_name("guard_target")


def _event_name(direction: Direction, event: str) -> str:
    return f"{direction}_{event.lower()}"


def _guard(conn: psycopg.Connection[Any], shape: Shape, side: Side) -> None:
    function = shape.function("guard")
    conn.execute(statements.compose("guard_function", function=function))
    conn.execute(
        statements.compose(
            "guard_trigger",
            trigger=shape.trigger(f"guard_{side}"),
            table=shape.table(side).sql,
            function=function,
        )
    )


def _close_to_others(conn: psycopg.Connection[Any], shape: Shape, direction: Direction) -> None:
    conn.execute(sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(shape.function(direction)))


def _drop_trigger(conn: psycopg.Connection[Any], trigger: sql.Identifier, table: sql.Identifier) -> None:
    conn.execute(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(trigger, table))


def _note(conn: psycopg.Connection[Any], job: Job, direction: Direction, mode: Mode) -> None:
    conn.execute(
        "INSERT INTO phasegate.mirror (run_id, direction, mode) VALUES (%s, %s, %s) "
        "ON CONFLICT (run_id, direction) DO UPDATE SET mode = excluded.mode",
        (job.run_uid, direction, mode),
    )


def _runner(conn: psycopg.Connection[Any]) -> str:
    row = conn.execute("SELECT session_user").fetchone()
    assert row is not None
    return str(row[0])


def _check_mode(direction: Direction, mode: Mode) -> None:
    if mode not in mirroring.MODES[direction]:
        raise EngineError(f"{direction} has no mode {mode}")
