"""How an extra worker on a phase's chunks tells what happens, and hears that it has to stop."""

from __future__ import annotations

import time
from typing import Any

from django.db import connection

from migration_runs.exceptions import LeaseLost
from migration_runs.heartbeat import OUTAGE
from migration_runs.models import PhaseRun
from migration_runs.reporting import ASK_EVERY_S, ControlReporter, Progress
from migration_runs.states import StepState


class ChunkReporter(ControlReporter):
    """The reporter of an extra worker on a phase's chunks: it holds no lease and never moves a step's state.

    It may log and show progress under the phase's token, which every look at the control database proves.
    """

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        """Nothing: the worker with the lease says what state a step is in."""

    def pause(self, reason: str) -> None:
        """Nothing: the worker with the lease sees the same load, and asks."""

    def _figures(self, told: Progress) -> dict[str, Any]:
        """How far the copy is. Why it is slow is said by one worker, the one with the lease."""
        return {"done": told.done, "total": told.total, "unit": told.unit}

    def start_chunk_workers(self, count: int) -> None:
        """Nothing: only the worker with the lease asks for more."""


class TokenHold:
    """Lets an extra worker go on while the phase is running under the token that it was sent with."""

    def __init__(self, phase: PhaseRun, *, token: int, seconds: float) -> None:
        self._phase_id = phase.pk
        self._token = token
        self._seconds = seconds
        self._asked_at = -1.0

    @property
    def good_for(self) -> float:
        """Seconds for which the last look is trusted while the control database is away."""
        return max(0.0, self._asked_at + self._seconds - time.monotonic())

    def check(self) -> None:
        """Raises LeaseLost when the phase has a new token, or the database that knows stays away."""
        if self._asked_at >= 0 and time.monotonic() - self._asked_at < ASK_EVERY_S:
            return
        try:
            token = PhaseRun.objects.filter(pk=self._phase_id).values_list("token", flat=True).get()
        except OUTAGE as error:
            connection.close()
            if self.good_for > 0:
                return
            raise LeaseLost("the control database does not answer: this extra worker stops") from error
        if token != self._token:
            raise LeaseLost(
                "the phase now belongs to another worker; this extra worker of its predecessor stops"
            )
        self._asked_at = time.monotonic()
