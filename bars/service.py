"""What feed and aggregator share: connect, tick, recover, and restart when another version is deployed."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import psycopg

from bars import connections, deployment, runlog
from bars.exceptions import DerivationFailed

logger = logging.getLogger(__name__)

_TRANSIENT_CLASSES = ("08", "40", "53", "55", "57")
_FAILURES_UNTIL_ERROR = 3
_LONGEST_PAUSE_SECONDS = 5.0


class Worker(Protocol):
    """One long-running component: what it does once after connecting, and on every tick."""

    component: deployment.Component

    def prepare(self, conn: psycopg.Connection[Any], *, version: deployment.Version) -> None:
        """Set the session up after each connect."""

    def tick(self, conn: psycopg.Connection[Any]) -> None:
        """Do what is due; whatever it raises is retried from where it stood."""


def is_transient(sqlstate: str | None) -> bool:
    """Tell whether waiting may cure it: connection, rollback, resources, object in use, operator's stop."""
    return sqlstate is not None and sqlstate[:2] in _TRANSIENT_CLASSES


class StopRequest:
    """A flag that a signal handler or another thread raises, and that waiting obeys.

    No lock is involved: a handler that runs while the same thread waits on a ``threading.Event`` can block
    for ever.
    """

    _SLICE_SECONDS = 0.1

    def __init__(self) -> None:
        self._requested = False

    def request(self, *_: object) -> None:
        """Ask to stop after what is being done; takes a signal handler's arguments."""
        self._requested = True

    def is_set(self) -> bool:
        """Tell whether stopping was asked for."""
        return self._requested

    def wait(self, seconds: float) -> None:
        """Sleep for ``seconds``, or until stopping is asked for."""
        deadline = time.monotonic() + seconds
        while not self._requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, self._SLICE_SECONDS))


def stop_on_signals() -> StopRequest:
    """Return a request that SIGTERM and SIGINT raise, so that a running tick is finished first."""
    stopping = StopRequest()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopping.request)
    return stopping


def restart_process() -> None:
    """Replace this process by a fresh one with the same command line: new code is loaded, the pid stays."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line


class Service:
    """Runs a worker until it is told to stop.

    ``tick_seconds`` is the least real time between the starts of two ticks. A failure is written to
    ``ops_runlog``: as a warning while waiting may cure it, as an error when it cannot, or has not three times
    in a row.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        url: str,
        tick_seconds: float,
        stopping: StopRequest,
        restart: Callable[[], None] = restart_process,
    ) -> None:
        self._worker = worker
        self._url = url
        self._tick_seconds = tick_seconds
        self._stopping = stopping
        self._restart = restart
        self._version: deployment.Version | None = None
        self._failures = 0
        self._connection_lost: str | None = None

    def run(self) -> None:
        """Tick until stopping is asked for, or until another version is deployed and the process restarts."""
        while not self._stopping.is_set():
            try:
                conn = connections.connect(
                    self._url, application_name=f"bars-{self._worker.component}", statement_timeout_seconds=60
                )
            except psycopg.OperationalError as error:
                self._note_lost_connection(error)
                continue
            with conn:
                if self._serve(conn):
                    conn.close()
                    logger.info("another version is deployed: restarting")
                    self._restart()
                    return

    def _serve(self, conn: psycopg.Connection[Any]) -> bool:
        """Tick on one connection; True when another version is deployed, False when it is of no use."""
        prepared = False
        while not self._stopping.is_set():
            try:
                deployed = deployment.deployed_version(conn, self._worker.component)
                if self._version is None:
                    self._version = deployed
                if deployed != self._version:
                    return True
                if not prepared:
                    self._begin(conn, version=self._version)
                    prepared = True
                self._worker.tick(conn)
            except (psycopg.Error, DerivationFailed) as error:
                if conn.closed or conn.broken:
                    self._note_lost_connection(error)
                    return False
                self._note_failure(conn, error)
                continue
            self._failures = 0
            self._stopping.wait(self._tick_seconds)
        return False

    def _begin(self, conn: psycopg.Connection[Any], *, version: deployment.Version) -> None:
        self._worker.prepare(conn, version=version)
        name = deployment.application_name(self._worker.component, version)
        conn.execute("SELECT set_config('application_name', %s, false)", [name])
        if self._connection_lost is not None:
            runlog.write(
                conn,
                component=self._worker.component,
                level="warning",
                message="the connection was lost and is back; work goes on where it stopped",
                detail={"error": self._connection_lost, "attempts": self._failures},
            )
            self._connection_lost = None

    def _note_lost_connection(self, error: Exception) -> None:
        self._failures += 1
        self._connection_lost = str(error).strip()
        logger.warning("no connection (attempt %s): %s", self._failures, self._connection_lost)
        self._pause()

    def _note_failure(self, conn: psycopg.Connection[Any], error: psycopg.Error | DerivationFailed) -> None:
        self._failures += 1
        curable = is_transient(error.sqlstate) and self._failures < _FAILURES_UNTIL_ERROR
        logger.warning("tick failed (%s in a row): %s", self._failures, error)
        try:
            runlog.write(
                conn,
                component=self._worker.component,
                level="warning" if curable else "error",
                message=str(error).strip(),
                detail={"sqlstate": error.sqlstate, "in_a_row": self._failures},
            )
        except psycopg.Error as log_error:
            # The log lives in the database that just failed; the next tick finds out whether it is gone.
            logger.warning("ops_runlog could not be written: %s", log_error)
        self._pause()

    def _pause(self) -> None:
        longest = min(_LONGEST_PAUSE_SECONDS, 0.1 * 2 ** min(self._failures, 10))
        # the randomness spreads retries and guards nothing
        self._stopping.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311
