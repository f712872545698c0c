"""Trying again: locks that were not free, deadlocks, and a target that went away for a moment.

What may be tried again is told by SQLSTATE, never by the words of a message. Between two tries the lease is
renewed and a person's wish to stop is heard.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from migration_runs.engine.job import Reporter
from migration_runs.engine.script import SqlFailed
from migration_runs.exceptions import (
    EngineError,
    Fenced,
    LeaseLost,
    StepFailed,
    StopRequested,
    TargetUnavailable,
)

T = TypeVar("T")

LOCK_NOT_AVAILABLE = "55P03"
YIELDED = frozenset({LOCK_NOT_AVAILABLE, "40P01", "40001"})  # and deadlock, serialization failure
CANCELLED = "57014"
MOST_YIELDS = 25
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 3.0
MOST_LOSSES = 5
OUTAGE_S = 60.0
"""How long a target that went away is waited for."""


def through_outages(
    work: Callable[[], T], reporter: Reporter, *, step: str = "", stoppable: bool = False
) -> T:
    """``work``, from its beginning again while the target is away: for what may be done twice.

    Raises what :meth:`Attempts.pause_after` raises, and the error of ``work`` that is final.
    """
    tries = Attempts(reporter, step, holders=str, stoppable=stoppable)
    while True:
        try:
            return work()
        except (Fenced, LeaseLost, StopRequested):
            raise
        except (EngineError, psycopg.Error) as error:
            reporter.beat()
            if not tries.pause_after(error):
                raise


@dataclass
class Attempts:
    """Counts the tries of one step and says, per error, how long to pause before the next.

    ``holders`` names who holds locks on the plan's tables, for the person who waits.
    """

    reporter: Reporter
    step: str
    holders: Callable[[], str]
    stoppable: bool = True
    yields: int = 0
    losses: int = 0
    lost_at: float | None = None
    away_since: float | None = None

    def pause_after(self, error: Exception) -> bool:
        """Pause, and True, when the step should be tried again; False when the error is final.

        Raises StepFailed when locks were not to be had in ``MOST_YIELDS`` tries, StopRequested or
        LeaseLost during the pause.
        """
        code = sqlstate(error)
        if code in YIELDED:
            reason, pause = self._yield(code, error)
        elif self._is_outage(error):
            reason = str(error) if isinstance(error, TargetUnavailable) else "the target went away"
            pause = 1.0
        else:
            return False
        pause *= random.uniform(0.5, 1.5)  # noqa: S311  (jitter, so that two that collided part)
        self.reporter.log("warn", f"{reason}; trying again in {pause:.1f} s", step=self.step)
        self._wait(pause)
        return True

    def _yield(self, code: str | None, error: Exception) -> tuple[str, float]:
        self.yields += 1
        reason = "it gave way to another session"
        if code == LOCK_NOT_AVAILABLE:
            holders = self.holders()
            reason = "a lock was not free in time" + (f", held by {holders}" if holders else "")
        if self.yields >= MOST_YIELDS:
            raise StepFailed(
                f"{reason}, {self.yields} times in a row",
                kept="nothing of this step",
                next_step="let those transactions end, then retry the phase",
            ) from error
        return reason, min(FIRST_PAUSE_S * 2 ** (self.yields - 1), LONGEST_PAUSE_S)

    def _is_outage(self, error: Exception) -> bool:
        """Whether the target went away and may still be waited for."""
        now = time.monotonic()
        if is_lost(error):
            self.losses += 1
            self.lost_at = self.away_since = now
            return self.losses <= MOST_LOSSES
        if not isinstance(error, TargetUnavailable) or (self.away_since is None and not error.passing):
            return False
        if self.away_since is None:
            self.away_since = now
        return now - self.away_since <= OUTAGE_S

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
            self.reporter.beat()
            if self.stoppable and self.reporter.stop_requested():
                raise StopRequested("stopped between two tries; nothing of this step is half-done")


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code for an error of psycopg or of a runbook's file; None for any other."""
    return error.sqlstate if isinstance(error, psycopg.Error | SqlFailed) else None


def is_lost(error: BaseException) -> bool:
    """Whether the session with the target broke: by the network, or since the server ended it."""
    if isinstance(error, SqlFailed) and isinstance(error.__cause__, psycopg.Error):
        error = error.__cause__
    if not isinstance(error, psycopg.OperationalError):
        return False
    code = error.sqlstate
    return code is None or code.startswith(("08", "57P"))
