"""Stopping this project's own statements on a target, and nobody else's.

Every session of ours is named ``phasegate/<first 8 of the run's uid>/<worker>``. A role may signal sessions
of its own role, so no further privilege is needed; the role is compared as well, since any role may give
itself any application_name.
"""

from __future__ import annotations

import uuid
from functools import cache
from pathlib import Path
from typing import Literal

from migration_runs.engine import connection

How = Literal["cancel", "terminate"]

FILES: dict[How, str] = {"cancel": "cancel_statements.sql", "terminate": "terminate_sessions.sql"}


def stop_statements(url: str, *, run_uid: uuid.UUID, worker: str | None = None, how: How = "cancel") -> int:
    """Stop what the run's workers are executing on the target, or only what ``worker`` is; how many sessions.

    ``cancel`` ends the running statement: its transaction is rolled back and the worker is told.
    ``terminate`` ends the session: for a worker that is gone or frozen and may still hold locks.
    Raises TargetUnavailable or psycopg.Error when the target cannot be asked.
    """
    session = connection.application_name(run_uid, worker) if worker else None
    ours = connection.application_name(run_uid, "")
    with connection.connect(url, application_name=connection.application_name(run_uid, "stop")) as conn:
        row = conn.execute(_statement(how), {"prefix": ours, "session": session}).fetchone()
    return int(row[0]) if row else 0


@cache
def _statement(how: How) -> bytes:
    return (Path(__file__).resolve().parent / "sql" / FILES[how]).read_bytes()
