"""Step 4 of the move protocol: after the last chunk, wait for every transaction that is older.

Such a transaction may still write by what it saw before the copy. Older is who holds a transaction id or a
snapshot from before: a REPEATABLE READ reader has no id yet and can write all the same. The transactions
to wait for are taken down once, so that newcomers, whose snapshots another database can hold back, are
not waited for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migration_runs.engine import ledger, statements
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import sight
from migration_runs.exceptions import StopRequested

POLL_S = 0.25
USED_BY = "the wait for older transactions"

Identity = tuple[str, str, str]


@dataclass(frozen=True)
class Older:
    """A transaction that is waited for. ``pid`` is None for a prepared one, which ``gid`` then names."""

    pid: int | None
    usename: str
    application_name: str
    since: datetime
    state: str
    gid: str | None
    backend_start: str | None
    xact_start: str | None

    @property
    def identity(self) -> Identity:
        """Tells this transaction from a later one of the same session."""
        return (str(self.gid or self.pid), self.backend_start or "", self.xact_start or "")

    def __str__(self) -> str:
        who = (
            f"prepared transaction {self.gid}"
            if self.gid
            else f"pid {self.pid} {self.application_name}".strip()
        )
        return f"{who} ({self.usename}, since {self.since:%H:%M:%S} UTC)"


@dataclass(frozen=True)
class Barrier:
    """A point in the order of transactions, and those that were open then; a resumed step goes on with it."""

    xid: str
    waited_for: tuple[Identity, ...]

    def to_json(self) -> dict[str, Any]:
        """For the ledger's ``details``."""
        return {"xid": self.xid, "waited_for": [list(identity) for identity in self.waited_for]}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Barrier:
        """What :meth:`to_json` gave."""
        waited = tuple((str(a), str(b), str(c)) for a, b, c in kept["waited_for"])
        return cls(xid=str(kept["xid"]), waited_for=waited)


def barrier(conn: psycopg.Connection[Any], job: Job) -> Barrier:
    """Draw the line now. Raises Fenced, and StepFailed when the role may not see others' transactions."""
    sight.require(conn, USED_BY)
    with ledger.fenced(conn, job):
        row = conn.execute("SELECT pg_current_xact_id()::text").fetchone()
    assert row is not None
    return Barrier(xid=row[0], waited_for=tuple(one.identity for one in _older(conn, row[0])))


def older(conn: psycopg.Connection[Any], line: Barrier) -> tuple[Older, ...]:
    """Transactions that were open when the line was drawn and are open still, oldest first."""
    sight.require(conn, USED_BY)
    waited = set(line.waited_for)
    return tuple(one for one in _older(conn, line.xid) if one.identity in waited)


def wait(
    conn: psycopg.Connection[Any], line: Barrier, *, reporter: Reporter, step: str, patience_s: float
) -> tuple[Older, ...]:
    """Wait up to ``patience_s`` seconds; who is still open then (nobody: go on).

    Shows who is waited for by ``reporter.progress``. Raises StopRequested when a person asks for a pause,
    LeaseLost from the reporter.
    """
    total, deadline = len(line.waited_for), time.monotonic() + patience_s
    while True:
        left = older(conn, line)
        note = f"waiting for {left[0]}" if left else ""
        reporter.progress(step, total - len(left), total, unit="transactions", note=note)
        if not left or time.monotonic() >= deadline:
            return left
        reporter.beat()
        if reporter.stop_requested():
            raise StopRequested(f"stopped while {note}")
        time.sleep(POLL_S)


def _older(conn: psycopg.Connection[Any], xid: str) -> list[Older]:
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("older_transactions"), {"xid": xid})
        return [Older(**row) for row in cursor.fetchall()]
