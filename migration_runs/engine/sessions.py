"""The sessions of one worker's turn on a phase: one is kept, and lent to one piece of work after the other.

Logging in costs more than most of what a phase tells the ledger. What a piece of work left behind must not
reach the next one, so a session that is given back is made as new by ``DISCARD ALL``: settings go back to
those of the log-in; roles, temporary tables, prepared statements, advisory locks and cursors go. A session
that does not answer to that, or whose piece of work failed, is closed, and the next piece gets a new one.
What stays is what no session can give back: a setting of one's own (``a.b``) that was ever set is empty from
then on, no longer unknown.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import psycopg

from migration_runs.engine import connection
from migration_runs.engine.job import Job

CLEAN = "DISCARD ALL"
TRUSTED_S = 5.0
"""A session that nobody used for longer is asked whether it is still there before it is lent."""


class Sessions:
    """Lends sessions on the job's target, for one thread, while the ``with`` block lasts.

    Whoever asks while the kept session is lent gets another one, which is closed when it is given back.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._kept: psycopg.Connection[Any] | None = None
        self._back_at = 0.0
        self._lent = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def lend(self) -> Iterator[psycopg.Connection[Any]]:
        """A session (autocommit, pinned settings, named after run and worker) in the state of a fresh one.

        Raises TargetUnavailable.
        """
        if self._lent:
            with connection.connect_job(self._job) as conn:
                yield conn
            return
        conn = self._ready()
        self._lent = True
        try:
            yield conn
            self._take_back(conn)
        except BaseException:
            self.close()  # and with it, what its transaction did
            raise
        finally:
            self._lent = False

    def close(self) -> None:
        """End the kept session. Harmless when there is none."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _ready(self) -> psycopg.Connection[Any]:
        if self._kept is not None and time.monotonic() - self._back_at > TRUSTED_S:
            # Ended meanwhile: by a restart, a timeout of the server, an administrator.
            self._clean(self._kept)
        if self._kept is None:
            self._kept = connection.connect_job(self._job)
            self._kept.prepare_threshold = None  # what the driver prepares would go behind its back
        return self._kept

    def _take_back(self, conn: psycopg.Connection[Any]) -> None:
        """As ``with`` a session of psycopg ends: a transaction that is still open is committed."""
        if not conn.closed:
            conn.commit()
        self._clean(conn)

    def _clean(self, conn: psycopg.Connection[Any]) -> None:
        """Make the session as new, or close it. What was done in it stands in either case."""
        try:
            conn.execute(CLEAN)
        except psycopg.Error:
            self.close()
        self._back_at = time.monotonic()
