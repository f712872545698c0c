"""The scratch database: where backups are restored and files rehearsed, emptied before and after.

Emptying a database is the most dangerous thing in this project, so it takes three facts: it is not the
target (compared by system identifier, not by address), it was marked as scratch (a schema
``phasegate_scratch``, or the comment ``phasegate scratch`` on the database) or holds nothing at all, and no
other run is using it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from migration_runs.engine import connection, fingerprint, statements
from migration_runs.engine.job import Job, Reporter
from migration_runs.exceptions import StepFailed, StopRequested, TargetUnavailable

_RESTORE = "restore-"
_LOCK = 0x7363_7261_7463_68  # "scratch"; one run at a time


@contextlib.contextmanager
def opened(job: Job, reporter: Reporter) -> Iterator[psycopg.Connection[Any]]:
    """A session on the job's scratch database, which is empty, and is emptied again afterwards.

    Waits while another run uses it. Raises StepFailed, with nothing changed anywhere, when it is not
    configured, not reachable, is the target itself, or holds things and is not marked as scratch.
    """
    if job.scratch_url is None:
        raise StepFailed(
            f"the target {job.plan.target} has no scratch database",
            kept="nothing was changed",
            next_step=f"set SCRATCH_{job.plan.target.upper()}_URL to an empty database",
        )
    try:
        conn = connection.connect(
            job.scratch_url, application_name=connection.application_name(job.run_uid, job.worker)
        )
    except TargetUnavailable as error:
        raise StepFailed(
            f"the scratch database cannot be used: {error}",
            kept="nothing was changed",
            next_step="make the scratch database reachable, then retry",
        ) from error
    with conn:
        _refuse_target(job, conn)
        _take(conn, reporter)
        _end_orphans(conn, reporter)
        empty(conn)
        try:
            yield conn
        except BaseException:
            # What went wrong before matters more; the next user empties it first in any case.
            with contextlib.suppress(psycopg.Error, StepFailed):
                empty(conn)
            raise
        empty(conn)


def empty(conn: psycopg.Connection[Any]) -> None:
    """Drop everything in a scratch database and mark it. Raises StepFailed for one that is not scratch."""
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("scratch_content"))
        found = cursor.fetchone()
        assert found is not None
        if found["things"] and not found["marked"]:
            raise StepFailed(
                f"the scratch database is not marked as scratch and holds {', '.join(found['things'])} ...",
                kept="nothing was changed in it",
                next_step="name an empty database, or mark this one: CREATE SCHEMA phasegate_scratch",
            )
        try:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS phasegate_scratch")
            for schema in found["schemas"]:
                cursor.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
            cursor.execute("CREATE SCHEMA public")
            cursor.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        except psycopg.errors.InsufficientPrivilege as error:
            raise StepFailed(
                f"the role may not empty the scratch database: {error.diag.message_primary}",
                kept="nothing was changed in it",
                next_step="let the scratch database be owned by the role that connects to it",
            ) from error


def _refuse_target(job: Job, conn: psycopg.Connection[Any]) -> None:
    with connection.connect_job(job) as target:
        if fingerprint.identity(target) == fingerprint.identity(conn):
            raise StepFailed(
                "the scratch database is the target itself",
                kept="nothing was changed",
                next_step=f"set SCRATCH_{job.plan.target.upper()}_URL to another database",
            )


def _take(conn: psycopg.Connection[Any], reporter: Reporter) -> None:
    """Wait for the session lock that keeps runs apart; it goes with the session."""
    told = False
    while True:
        row = conn.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        if row is not None and row[0]:
            return
        if not told:
            reporter.log("info", "waiting: another run is using the scratch database")
            told = True
        reporter.beat()
        if reporter.stop_requested():
            raise StopRequested("stopped while waiting for the scratch database")
        time.sleep(0.3)


def restoring_name(job: Job) -> str:
    """How sessions of programs that restore into the scratch database are named."""
    return connection.application_name(job.run_uid, f"{_RESTORE}{job.worker}")


def _end_orphans(conn: psycopg.Connection[Any], reporter: Reporter) -> None:
    """End what the programs of a killed worker still restore: they outlive it, and its lock went with it.

    Called with the lock held, so that every such session is an orphan. Returns when they are gone.
    """
    told = False
    while True:
        row = conn.execute(statements.load("scratch_orphans"), {"worker": f"{_RESTORE}%"}).fetchone()
        if row is None or row[0] == 0:
            return
        if not told:
            reporter.log("warn", "ending what a killed worker was restoring into the scratch database")
            told = True
        reporter.beat()
        time.sleep(0.1)
