"""Keeping a lease alive while its worker is busy, and telling the worker at once when it is gone.

The lease is a row of the control database and is judged by that database's clock. This thread renews it
every third of its length, on a connection of its own, so that a statement that runs for an hour on the
target loses nothing. Once the lease cannot be renewed within its length, or has gone to another worker, it
is lost: the worker's statements on the target are cancelled and every later :meth:`Heartbeat.check` raises.
What such a worker still had under way is refused by the token on the target.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from django.db import InterfaceError, OperationalError, connections

from migration_runs.exceptions import LeaseLost

logger = logging.getLogger(__name__)

PER_LEASE = 3
"""Renewals per length of the lease: two may fail before the third decides."""

WATCH_EVERY_S = 1.0

SILENT = "the control database could not be asked for the whole length of the lease"

OUTAGE = (OperationalError, InterfaceError)
"""The control database is away, restarting or refusing connections: worth another try."""


class Heartbeat:
    """Renews a lease of ``seconds`` from a thread of its own while the ``with`` block lasts.

    ``renew`` writes the new end of the lease and says whether it was still ours; ``on_lost`` is called once
    when it is lost. ``watch`` is called every second, for what a person may ask of a worker that is inside a
    statement. All three are called in the thread (``renew`` and ``on_lost`` also by :meth:`check`).
    """

    def __init__(
        self,
        renew: Callable[[], bool],
        *,
        seconds: float,
        on_lost: Callable[[], None],
        watch: Callable[[], None],
    ) -> None:
        self._renew = renew
        self._seconds = seconds
        self._on_lost = on_lost
        self._watch = watch
        self._ended = threading.Event()
        self._lost = ""
        self._good_until = time.monotonic() + seconds
        self._thread = threading.Thread(target=self._run, name="lease-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Renew no more. What is left of the lease still counts; harmless when called again."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def good_for(self) -> float:
        """Seconds until the lease ends if it is not renewed again; 0 when it is lost."""
        return 0.0 if self._lost else max(0.0, self._good_until - time.monotonic())

    def check(self) -> None:
        """Go on only while the lease is ours. Raises LeaseLost with the reason."""
        if not self._lost and time.monotonic() >= self._good_until:
            # This process was frozen, or the control database has been away for the lease's whole length.
            self._beat()
            if time.monotonic() >= self._good_until:
                self._lose(SILENT)
        if self._lost:
            raise LeaseLost(
                f"this worker has lost its lease: {self._lost}",
                kept="every step and chunk that the ledger calls done",
                next_step="nothing: another worker goes on from there",
            )

    def _run(self) -> None:
        try:
            next_beat = time.monotonic() + self._seconds / PER_LEASE
            while not self._ended.wait(min(WATCH_EVERY_S, self._seconds / PER_LEASE)) and not self._lost:
                try:
                    self._watch()
                except OUTAGE as error:
                    logger.warning("could not look for requests: %s", type(error).__name__)
                    self._reconnect()
                if time.monotonic() < next_beat:
                    continue
                if self._beat():
                    next_beat = time.monotonic() + self._seconds / PER_LEASE
                elif time.monotonic() >= self._good_until:
                    self._lose(SILENT)
        finally:
            connections.close_all()

    def _beat(self) -> bool:
        """Renew once; whether that worked. An outage is no loss yet: the next try is soon."""
        asked = time.monotonic()
        try:
            ours = self._renew()
        except OUTAGE as error:
            logger.warning("lease not renewed: %s", type(error).__name__)
            self._reconnect()
            return False
        if not ours:
            self._lose("another worker has taken over")
            return False
        self._good_until = asked + self._seconds
        return True

    @staticmethod
    def _reconnect() -> None:
        """Forget this thread's connection; the next query makes a new one."""
        with contextlib.suppress(*OUTAGE):
            connections["default"].close()

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self._lost = reason
            logger.warning("lease lost: %s", reason)
            self._on_lost()
