"""A backup that is proven: dumped from one snapshot, checksummed, restored, and counted table by table."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from psycopg import sql

from migration_runs.engine import archive, connection, pg_programs, scratch, statements, timeouts
from migration_runs.engine.archive import Scope
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.pg_programs import Written
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import BackupStep

_ALIVE_S = 5.0
_COUNT_S = 3600.0


@dataclass(frozen=True)
class Backup:
    """A finished dump: where it is, what it holds."""

    path: Path
    written: Written
    counts: dict[str, int]
    scope: Scope
    version: int


def make(job: Job, reporter: Reporter, step: BackupStep) -> Backup:
    """Dump the step's tables into the job's backup directory, under one snapshot with their counts.

    The file is written beside its final name, synced, then renamed: a file of that name is whole. Raises
    StepFailed when the program is missing or too old, the directory or disk does not take it, or rows are
    hidden from the role.
    """
    program = pg_programs.find("pg_dump", job.pg_bin_dir)
    path = path_of(job, step)
    with connection.connect_job(job) as conn:
        version = pg_programs.require_version(program, conn.info.server_version // 10_000)
        with (
            _file(path) as sink,
            timeouts.timeouts(conn, lock_ms=step.lock_timeout_ms, statement_s=_COUNT_S),
            conn.transaction(),
        ):
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # Rows that row-level security hides must be an error, as they are for pg_dump.
            conn.execute("SET LOCAL row_security = off")
            wanted = archive.scope(conn, job.plan, step.tables)
            snapshot = conn.execute("SELECT pg_export_snapshot()").fetchone()
            assert snapshot is not None
            counts = count(conn, step.tables)
            command = archive.dump_command(program, wanted, snapshot=snapshot[0])
            written = pg_programs.stream(
                command,
                sink,
                env=pg_programs.environment(
                    job.target_url, application_name=connection.application_name(job.run_uid, job.worker)
                ),
                each=_Watch(conn, reporter, step.key, wanted.bytes),
            )
    return Backup(path=path, written=written, counts=counts, scope=wanted, version=version)


def path_of(job: Job, step: BackupStep) -> Path:
    """Where the step's dump goes: one file a run and step, whoever makes it."""
    return job.backup_dir / f"{job.run_name}-{job.run_uid.hex[:8]}" / f"{step.key}.dump"


def forget_part(job: Job, step: BackupStep) -> bool:
    """Remove the part of a dump that a killed worker left; whether there was one. A whole dump stays."""
    partial = _partial(path_of(job, step))
    there = partial.exists()
    partial.unlink(missing_ok=True)
    return there


def prove(job: Job, reporter: Reporter, backup: Backup) -> dict[str, int]:
    """Restore the backup into the scratch database and count there; the counts.

    Raises StepFailed when it cannot be restored to the end, a table's count differs from the snapshot's, or
    a function that exists in the target is not in it.
    """
    with scratch.opened(job, reporter) as conn:
        restoring = archive.Restoring(
            job, reporter, backup.path, backup.scope, application_name=scratch.restoring_name(job)
        )
        if absent := [name for name in backup.scope.functions if not restoring.has_function(name)]:
            raise StepFailed(
                f"the backup lacks the functions {', '.join(absent)}", kept=f"the file {backup.path}"
            )
        for section in ("pre-data", "data", "post-data"):
            restoring.restore(section)
        with timeouts.timeouts(conn, lock_ms=1_000, statement_s=_COUNT_S):
            found = count(conn, backup.scope.tables)
    if wrong := [name for name in backup.counts if found[name] != backup.counts[name]]:
        told = ", ".join(f"{name}: {found[name]} of {backup.counts[name]}" for name in wrong)
        raise StepFailed(
            f"the restored backup does not hold every row: {told}", kept=f"the file {backup.path}"
        )
    return found


def count(conn: psycopg.Connection[Any], tables: tuple[str, ...]) -> dict[str, int]:
    """Rows of each table, as this session sees them."""
    counts: dict[str, int] = {}
    for name in tables:
        row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(statements.relation(name))).fetchone()
        assert row is not None
        counts[name] = row[0]
    return counts


class _Watch:
    """Called while pg_dump writes: keeps the snapshot's session alive, tells progress, hears a stop."""

    def __init__(self, conn: psycopg.Connection[Any], reporter: Reporter, step: str, total: int) -> None:
        self.conn, self.reporter, self.step, self.total = conn, reporter, step, total
        self.asked = time.monotonic()

    def __call__(self, size: int) -> None:
        archive.look(self.reporter)
        self.reporter.progress(self.step, size, max(self.total, size), unit="bytes")
        if time.monotonic() - self.asked > _ALIVE_S:
            self.asked = time.monotonic()
            self.conn.execute("SELECT 1")  # an idle transaction would be ended by its timeout


@contextlib.contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    """A new file that gets its name when it is whole and on the disk; nothing of it stays otherwise."""
    partial = _partial(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StepFailed(
            f"the backup cannot be written to {path.parent}: {error.strerror}",
            kept="nothing was changed in the target; no part of the backup is left",
            next_step="make room or make BACKUP_DIR writable, then retry",
        ) from error


def _partial(path: Path) -> Path:
    return path.with_suffix(".partial")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
