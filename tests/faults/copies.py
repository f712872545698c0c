"""The databases of a world: those in use, and copies of them by data decision and phase."""

from __future__ import annotations

import time

import psycopg

from tests.faults.things import DataDecision

CONTROL, TARGET = "faults_control", "faults_things"
"""Names of the databases: always the same, since a signature binds the target's name."""


def names(decision: DataDecision, number: int) -> tuple[str, str]:
    """Control database and target of a snapshot."""
    return f"{CONTROL}_{decision}_{number}", f"{TARGET}_{decision}_{number}"


def end_sessions(dsn: str) -> None:
    """End what may still be connected to the databases in use: a template has to be alone."""
    query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = ANY (%s)"
    with psycopg.connect(dsn, autocommit=True) as conn:
        while conn.execute(query, [[CONTROL, TARGET]]).fetchone() != (0,):
            time.sleep(0.02)


def make_crash_safe(dsn: str) -> None:
    """A sequence copied with its database would go back at a crash before the first checkpoint."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
