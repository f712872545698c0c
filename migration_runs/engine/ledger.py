"""The ledger: schema ``phasegate`` of the target, where what was applied is written with the effect itself.

Fencing: a run's row holds the token of the worker that owns it now. Every transaction that writes to the
target begins in :func:`fenced`, which locks that row ``FOR SHARE`` and compares. Raising the token
(:func:`ensure`) therefore waits for transactions in flight, and afterwards an older worker writes nothing.

Copying and draining exclude each other by one advisory lock per run: a chunk's transaction holds it
shared (:func:`hold_copy_lock`), a drain's asks for it alone and gives up at once (:func:`try_drain_lock`),
since a key drained before its chunk commits would leave a ghost that no list knows.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import errors, pq, sql
from psycopg.types.json import Jsonb

from migration_runs.engine import statements, timeouts
from migration_runs.engine.job import Job
from migration_runs.exceptions import EngineError, Fenced

LedgerState = Literal["intent", "applied", "undoing", "undone"]
CLAIM_LOCK_MS = 30_000
_INSTALL_LOCK = 0x7068_6173_6567_6174  # "phasegat"; one installation of the schema at a time
_OBJECTS_OF_RUN = """
SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
 WHERE c.relnamespace = 'phasegate'::regnamespace AND c.relkind IN ('r', 'v') AND starts_with(c.relname, %s)
"""
_FUNCTIONS_OF_RUN = """
SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = 'phasegate'::regnamespace AND starts_with(p.proname, %s)
"""


@dataclass(frozen=True)
class LedgerStep:
    """What the ledger says of one step. ``details`` is what its application (or intent) kept."""

    phase: int
    step_key: str
    state: LedgerState
    started_at: datetime
    finished_at: datetime | None
    details: dict[str, Any]


def installed(conn: psycopg.Connection[Any]) -> bool:
    """Whether this database has a ledger."""
    row = conn.execute("SELECT to_regclass('phasegate.run') IS NOT NULL").fetchone()
    return bool(row and row[0])


def ensure(conn: psycopg.Connection[Any], job: Job) -> None:
    """Install the ledger where there is none, and make the job's token the run's.

    Waits for a transaction of the worker before (a frozen one is ended by its own session's timeout).
    Raises Fenced when the run already has a higher token, EngineError when that transaction does not end.
    """
    with timeouts.timeouts(conn, lock_ms=CLAIM_LOCK_MS, statement_s=CLAIM_LOCK_MS / 1000 + 10):
        try:
            with conn.transaction():
                conn.execute("SELECT pg_advisory_xact_lock(%s)", (_INSTALL_LOCK,))
                if not _complete(conn):
                    conn.execute(statements.load("ledger_schema"))
            row = conn.execute(
                statements.load("ledger_claim"),
                {
                    "run_id": job.run_uid,
                    "slug": job.plan.runbook.slug,
                    "digest": job.plan.digest,
                    "token": job.token,
                },
            ).fetchone()
        except errors.LockNotAvailable as error:
            raise EngineError(
                "another worker of this run still has a transaction open on the target",
                kept="what it committed so far",
                next_step="wait until its session has ended, then retry",
            ) from error
        except errors.InsufficientPrivilege as error:
            raise EngineError(
                "the role may not create the schema phasegate in the target",
                kept="nothing was changed",
                next_step="grant CREATE on the database to the runner's role, then retry",
            ) from error
    if row is None:
        raise _fenced(job)


def _complete(conn: psycopg.Connection[Any]) -> bool:
    """Whether every table is there; ``mirror`` is the last that the schema's file makes."""
    row = conn.execute("SELECT to_regclass('phasegate.mirror') IS NOT NULL").fetchone()
    return bool(row and row[0])


@contextlib.contextmanager
def fenced(conn: psycopg.Connection[Any], job: Job) -> Iterator[psycopg.Transaction]:
    """One transaction on the target that only the run's current worker can commit.

    READ COMMITTED. Raises Fenced when the run's token is no longer the job's (or the run is gone).
    Must be the outermost transaction: inside another one the row would have been locked too late.
    """
    if conn.info.transaction_status != pq.TransactionStatus.IDLE:
        raise ValueError("a fenced transaction is the outermost one")
    with conn.transaction() as transaction:
        prove(conn, job)
        yield transaction


def prove(conn: psycopg.Connection[Any], job: Job) -> None:
    """Lock the run's row FOR SHARE in the open transaction and compare its token. Raises Fenced."""
    try:
        row = conn.execute(
            "SELECT token FROM phasegate.run WHERE run_id = %s FOR SHARE", (job.run_uid,)
        ).fetchone()
    except errors.UndefinedTable as error:
        raise _fenced(job) from error
    if row is None or row[0] != job.token:
        raise _fenced(job)


def _fenced(job: Job) -> Fenced:
    return Fenced(
        f"another worker has taken over {job.run_name}; {job.worker} wrote nothing",
        kept="everything that was committed before",
    )


# -- steps


def applied(conn: psycopg.Connection[Any], run_uid: uuid.UUID) -> list[LedgerStep]:
    """Every step of the run that the ledger knows, in the order of phases and of beginning, in any state.

    Empty when there is no ledger yet.
    """
    if not installed(conn):
        return []
    rows = conn.execute(statements.load("ledger_steps"), {"run_id": run_uid}).fetchall()
    return [LedgerStep(*row) for row in rows]


def step(conn: psycopg.Connection[Any], run_uid: uuid.UUID, phase: int, step_key: str) -> LedgerStep | None:
    """What the ledger says of one step; None when it was never begun."""
    for known in applied(conn, run_uid):
        if (known.phase, known.step_key) == (phase, step_key):
            return known
    return None


def mark_intent(
    conn: psycopg.Connection[Any],
    job: Job,
    *,
    phase: int,
    step_key: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Write that the step begins. ``details`` None keeps what is there (a resumed step's)."""
    _mark(conn, job, phase=phase, step_key=step_key, state="intent", details=details)


def mark_applied(
    conn: psycopg.Connection[Any],
    job: Job,
    *,
    phase: int,
    step_key: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Write that the step is done; inside the effect's own transaction where it has one."""
    _mark(conn, job, phase=phase, step_key=step_key, state="applied", details=details)


def mark_undoing(
    conn: psycopg.Connection[Any],
    job: Job,
    *,
    phase: int,
    step_key: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Write that undoing the step begins. ``details`` None keeps what its application wrote."""
    _mark(conn, job, phase=phase, step_key=step_key, state="undoing", details=details)


def mark_undone(
    conn: psycopg.Connection[Any],
    job: Job,
    *,
    phase: int,
    step_key: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Write that the step is undone; inside the undoing transaction where there is one."""
    _mark(conn, job, phase=phase, step_key=step_key, state="undone", details=details)


def _mark(
    conn: psycopg.Connection[Any],
    job: Job,
    *,
    phase: int,
    step_key: str,
    state: LedgerState,
    details: dict[str, Any] | None,
) -> None:
    conn.execute(
        statements.load("ledger_mark"),
        {
            "run_id": job.run_uid,
            "phase": phase,
            "step_key": step_key,
            "state": state,
            "token": job.token,
            "details": None if details is None else Jsonb(details),
        },
    )


# -- before-images


def keep_before_image(
    conn: psycopg.Connection[Any], job: Job, *, phase: int, step_key: str, image: dict[str, Any]
) -> None:
    """Keep what a step is about to replace. The first image stands: a retry must not keep its own effect."""
    conn.execute(
        "INSERT INTO phasegate.before_image (run_id, phase, step_key, image) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        (job.run_uid, phase, step_key, Jsonb(image)),
    )


def before_image(
    conn: psycopg.Connection[Any], run_uid: uuid.UUID, *, phase: int, step_key: str
) -> dict[str, Any] | None:
    """The image kept for a step, None when there is none."""
    row = conn.execute(
        "SELECT image FROM phasegate.before_image WHERE run_id = %s AND phase = %s AND step_key = %s",
        (run_uid, phase, step_key),
    ).fetchone()
    return row[0] if row else None


# -- copying and draining keep out of each other's way


def copy_lock_key(run_uid: uuid.UUID) -> int:
    """The run's advisory lock: the first 64 bits of its uid, as a signed number."""
    return int.from_bytes(run_uid.bytes[:8], "big", signed=True)


def hold_copy_lock(conn: psycopg.Connection[Any], run_uid: uuid.UUID) -> None:
    """Hold the run's copy lock, shared, until the transaction ends. Before the chunk's first read.

    Waits for a drain in flight (a short transaction); raises LockNotAvailable after the lock timeout.
    """
    conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", (copy_lock_key(run_uid),))


def try_drain_lock(conn: psycopg.Connection[Any], run_uid: uuid.UUID) -> bool:
    """Take the copy lock alone until the transaction ends; False when a chunk or another drain is open."""
    row = conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (copy_lock_key(run_uid),)).fetchone()
    return bool(row and row[0])


def wait_drain_lock(conn: psycopg.Connection[Any], run_uid: uuid.UUID) -> None:
    """The same, waiting. Raises LockNotAvailable after the lock timeout."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (copy_lock_key(run_uid),))


# -- the end


def object_prefix(run_uid: uuid.UUID) -> str:
    """How the names of a run's own tables and functions in the ledger's schema begin."""
    return f"r{run_uid.hex[:8]}_"


def drop_run(conn: psycopg.Connection[Any], run_uid: uuid.UUID) -> None:
    """Give up everything that the target keeps of a run; the whole schema when no other run is in it.

    One transaction of its own; nothing happens where there is no ledger. Raises EngineError while a
    trigger still uses one of the run's functions: such a run is not over.
    """
    if not installed(conn):
        return
    prefix = object_prefix(run_uid)
    try:
        with conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(%s)", (_INSTALL_LOCK,))
            for query, drop in ((_FUNCTIONS_OF_RUN, "DROP FUNCTION "), (_OBJECTS_OF_RUN, "DROP TABLE ")):
                for (name,) in conn.execute(query, (prefix,)).fetchall():
                    # regprocedure and regclass print names as the catalog quotes them.
                    conn.execute((drop + name).encode())
            conn.execute(statements.compose("ledger_drop_run", run_id=sql.Literal(run_uid)))
            conn.execute("DELETE FROM phasegate.run WHERE run_id = %s", (run_uid,))
            left = conn.execute("SELECT count(*) FROM phasegate.run").fetchone()
            if left is not None and left[0] == 0:
                conn.execute("DROP SCHEMA phasegate CASCADE")
    except errors.DependentObjectsStillExist as error:
        raise EngineError(
            "a sync trigger of this run is still on a table",
            kept="the run's ledger",
            next_step="finish the cleanup or the rollback, then seal",
        ) from error
