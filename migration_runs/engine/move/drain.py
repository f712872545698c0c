"""Step 5 of the move protocol: keys on the touched list are settled, each under locks on both sides.

Per batch of keys: lock the source rows, lock the target rows, and only then read the list; the side of a
key's highest entry has the last word. Apply, look for entries that came in meanwhile (the batch is then
done again), and delete exactly the entries that were read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors, sql

from migration_runs.engine import connection, ledger, statements, timeouts
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import catalog, columns, locking, mirroring, run_tables, triggers
from migration_runs.engine.move.mirroring import Mode
from migration_runs.engine.move.names import Direction, Shape, Side
from migration_runs.exceptions import StepFailed

BATCH = 50
WINDOW = 500
LOCK_MS = 200
STATEMENT_S = 30.0

Key = tuple[str, ...]


@dataclass(frozen=True)
class Stuck:
    """A key that could not be settled, and what PostgreSQL said."""

    key: Key
    error: str


@dataclass(frozen=True)
class DrainResult:
    """How a drain ended.

    ``drained`` keys were settled; ``left`` entries are on the list still; ``stuck`` ones failed for a reason
    that waiting does not cure (they are in ``left``, too). ``busy``: it ended since a chunk is open.
    """

    drained: int
    left: int
    stuck: tuple[Stuck, ...] = ()
    busy: bool = False


@dataclass
class _Pass:
    """One pass through the list as it was at its start."""

    last: int
    after: int = 0
    drained: int = 0
    busy: bool = False
    stuck: list[Stuck] = field(default_factory=list)


class _Again(Exception):  # noqa: N818 - a signal inside this module, not an error
    """A key of the batch got a new entry while it was applied."""


def drain(job: Job, reporter: Reporter) -> DrainResult:
    """Settle the keys that are on the list now, in small fenced transactions; nothing while a chunk is open.

    Stops between batches when asked to. Safe to call at any time by any number of workers, also where
    the run has no list (yet). Raises Fenced, LeaseLost, TargetUnavailable, EngineError, and psycopg.Error as
    they come: a table may just be locked by a worker that takes dual-write off.
    """
    with connection.connect_job(job) as conn:
        if not ledger.installed(conn):
            return DrainResult(0, 0)
        shape = catalog.resolve(conn, job.plan.runbook.move, job.run_uid)
        if not run_tables.exist(conn, shape):
            return DrainResult(0, 0)
        return settle(conn, job, shape, reporter)


def settle(
    conn: psycopg.Connection[Any], job: Job, shape: Shape, reporter: Reporter | None = None
) -> DrainResult:
    """:func:`drain` on an open connection."""
    if not run_tables.complete(conn, shape):
        with ledger.fenced(conn, job):
            run_tables.create(conn, shape)
    current = _Pass(last=_highest(conn, shape))
    while _goes_on(current, reporter):
        keys, highest = pick(conn, shape, after=current.after, last=current.last)
        if not keys:
            break
        for start in range(0, len(keys), BATCH):
            _batch(conn, job, shape, keys[start : start + BATCH], current)
        current.after = highest
    return DrainResult(current.drained, left(conn, shape), tuple(current.stuck), current.busy)


def settle_locked(conn: psycopg.Connection[Any], shape: Shape) -> int:
    """Settle the whole list in the caller's transaction, which holds both tables against writers.

    Returns the number of keys. Raises StepFailed when a key cannot be settled.
    """
    if not run_tables.complete(conn, shape):
        run_tables.create(conn, shape)
    done = after = 0
    while True:
        keys, highest = pick(conn, shape, after=after, last=_highest(conn, shape))
        if not keys:
            return done
        try:
            with conn.transaction():
                apply(conn, shape, keys)
        except (errors.DatabaseError, _Again) as error:
            if isinstance(error, locking.GAVE_WAY):
                raise
            raise StepFailed(
                f"keys on the list cannot be settled: {error}",
                kept="dual-write stays on",
                next_step="correct the rows that the message names, then retry",
            ) from error
        done += len(keys)
        after = highest


def left(conn: psycopg.Connection[Any], shape: Shape) -> int:
    """How many entries are on the list."""
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(shape.touched)).fetchone()
    return int(row[0]) if row else 0


def _goes_on(current: _Pass, reporter: Reporter | None) -> bool:
    if current.busy or current.after >= current.last:
        return False
    if reporter is None:
        return True
    reporter.beat()
    return not reporter.stop_requested()


def _batch(
    conn: psycopg.Connection[Any], job: Job, shape: Shape, keys: Sequence[Key], current: _Pass
) -> None:
    """One transaction for the batch; if it fails, one for each key, so that one cannot stop the rest."""
    if current.busy:
        return
    try:
        with ledger.fenced(conn, job):
            if not ledger.try_drain_lock(conn, job.run_uid):
                current.busy = True
                return
            timeouts.local(conn, lock_ms=LOCK_MS, statement_s=STATEMENT_S)
            apply(conn, shape, keys)
    except (errors.DatabaseError, _Again) as error:
        if isinstance(error, errors.OperationalError) and not isinstance(error, _TRANSIENT):
            raise
        if len(keys) > 1:
            for key in keys:
                _batch(conn, job, shape, [key], current)
        elif not isinstance(error, (*_TRANSIENT, _Again)):
            current.stuck.append(Stuck(keys[0], str(error).strip()))
        return
    current.drained += len(keys)


_TRANSIENT = (*locking.GAVE_WAY, errors.QueryCanceled)


# -- the parts of a batch, in their order; separate so that a test can show why the order matters


def apply(conn: psycopg.Connection[Any], shape: Shape, keys: Sequence[Key]) -> None:
    """Settle these keys in the caller's transaction. Raises _Again when an entry came in meanwhile."""
    lock_rows(conn, shape, "source", keys)
    lock_rows(conn, shape, "target", keys)
    sides, ids = read(conn, shape, keys)
    make_equal(conn, shape, sides)
    if newer(conn, shape, keys, ids):
        raise _Again
    forget(conn, shape, ids)


def pick(conn: psycopg.Connection[Any], shape: Shape, *, after: int, last: int) -> tuple[list[Key], int]:
    """The next distinct keys of entries above ``after`` up to ``last``, and the highest entry looked at."""
    rows = conn.execute(
        statements.compose(
            "drain_pick",
            touched=shape.touched,
            keys=columns.key_list(shape, None),
            key_text=columns.key_text(shape, "k", None),
        ),
        {"after": after, "last": last, "limit": WINDOW},
    ).fetchall()
    return [tuple(key) for _, key in rows], max((highest for highest, _ in rows), default=after)


def lock_rows(conn: psycopg.Connection[Any], shape: Shape, side: Side, keys: Sequence[Key]) -> None:
    """Lock the rows of one side that have these keys."""
    conn.execute(
        statements.compose(
            "drain_lock",
            keys=keys_as_text(shape),
            table=shape.table(side).sql,
            row_key=columns.key_match(shape, "r", side, "k", None),
            row_keys=columns.comma(columns.key_of(shape, "r", side)),
            rows=columns.rows_of_keys(shape, "r", side),
        ),
        parameters(shape, keys),
        prepare=False,
    )


def read(
    conn: psycopg.Connection[Any], shape: Shape, keys: Sequence[Key]
) -> tuple[dict[Key, Side], list[int]]:
    """Whose word is the last, per key that has entries, and the numbers of all these entries."""
    rows = conn.execute(
        statements.compose(
            "drain_read",
            keys=keys_as_text(shape),
            touched=shape.touched,
            entry_key=columns.key_match(shape, "e", None, "k", None),
            key_text=columns.key_text(shape, "k", None),
            key_names=columns.comma(columns.key_of(shape, "k", None)),
        ),
        parameters(shape, keys),
        prepare=False,
    ).fetchall()
    return {tuple(key): side for key, side, _ in rows}, [number for _, _, ids in rows for number in ids]


def make_equal(conn: psycopg.Connection[Any], shape: Shape, sides: dict[Key, Side]) -> None:
    """Write each key's winning side to the other one, labelled so that triggers know it for an echo."""
    on = triggers.installed(conn, shape)
    directions: tuple[tuple[Direction, Mode], ...] = (
        ("forward", on.get("forward", "mirror")),
        ("reverse", on.get("reverse", "full")),
    )
    for direction, mode in directions:
        side = mirroring.WRITER[direction]
        keys = [key for key, winner in sides.items() if winner == side]
        if not keys:
            continue
        conn.execute("SELECT set_config('phasegate.origin', %s, true)", (f"{side}:0",))
        given = keys_as_text(shape)
        for statement in (
            mirroring.write_first(shape, direction, mode, given),
            mirroring.write(shape, direction, mode, mirroring.looked_up(shape, side, given)),
            mirroring.remove(shape, direction, given, but_gone=True),
        ):
            if statement is not None:
                # Not prepared: a plan made for small tables must not be kept.
                conn.execute(statement, parameters(shape, keys), prepare=False)
    conn.execute("SELECT set_config('phasegate.origin', '', true)")


def newer(conn: psycopg.Connection[Any], shape: Shape, keys: Sequence[Key], ids: Sequence[int]) -> bool:
    """Whether a key has an entry that was not among those read."""
    row = conn.execute(
        statements.compose(
            "drain_newer",
            keys=keys_as_text(shape),
            touched=shape.touched,
            entry_key=columns.key_match(shape, "e", None, "k", None),
        ),
        {**parameters(shape, keys), "ids": list(ids)},
        prepare=False,
    ).fetchone()
    return bool(row and row[0])


def forget(conn: psycopg.Connection[Any], shape: Shape, ids: Sequence[int]) -> None:
    """Delete exactly these entries, and note their keys for the verification."""
    conn.execute(
        statements.compose(
            "drain_forget",
            touched=shape.touched,
            dirty=shape.dirty,
            keys=columns.key_list(shape, None),
        ),
        {"ids": list(ids)},
    )


def _highest(conn: psycopg.Connection[Any], shape: Shape) -> int:
    row = conn.execute(sql.SQL("SELECT coalesce(max(id), 0) FROM {}").format(shape.touched)).fetchone()
    return int(row[0]) if row else 0


def keys_as_text(shape: Shape) -> sql.Composed:
    """Keys as a FROM item, given as text by :func:`parameters`; pinned settings make that exact."""
    return mirroring.keys_from(
        shape,
        [
            sql.SQL("{}::text[]::{}[]").format(sql.Placeholder(key.name), columns.trusted(key.type))
            for key in shape.key
        ],
    )


def parameters(shape: Shape, keys: Sequence[Key]) -> dict[str, list[str]]:
    """Parameters of a statement over :func:`keys_as_text`."""
    return {key.name: [one[number] for one in keys] for number, key in enumerate(shape.key)}
