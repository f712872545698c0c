"""How a worker tells the control database what happens on the target, and hears what people ask of it.

Written here: log lines, and state, progress and result of steps. Nothing of this is a gate; states of
phases and runs move in services alone. Every write proves the lease's token first, under a lock on the
phase's row, so that a worker that was frozen and woke up writes nothing here either.

A control database that is away for some seconds is waited for: no line, state or result is dropped. One that
is away for the whole length of the lease ends in LeaseLost, and the sweeper has the phase resumed later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from migration_runs import dispatch
from migration_runs.engine.job import Confirmation, Level
from migration_runs.exceptions import LeaseLost
from migration_runs.heartbeat import OUTAGE
from migration_runs.models import Confirmation as ConfirmationRow
from migration_runs.models import LogLine, PhaseRun, StepRun
from migration_runs.services import adjusting, holding, progress, window
from migration_runs.states import PhaseState, StepState

logger = logging.getLogger(__name__)

PROGRESS_EVERY_S = 0.5
"""Progress of a step is written at most this often; its last figure always is."""

ASK_EVERY_S = 0.25
"""How old the answer to "did a person ask to stop" may be, and a chunk worker's proof of its token."""

ENDED = frozenset({
    StepState.DONE, StepState.SKIPPED, StepState.FAILED, StepState.UNDONE, StepState.UNDO_FAILED,
})  # fmt: skip

QUIET: dict[str, Any] = {"note": "", "note_since": None}
"""Of a step that begins or has ended: nothing makes it slow."""

T = TypeVar("T")


class Hold(Protocol):
    """What lets a worker go on: a lease that is kept alive (Heartbeat), or a token looked at (TokenHold)."""

    @property
    def good_for(self) -> float:
        """Seconds for which it holds without another look at the control database."""

    def check(self) -> None:
        """Raises LeaseLost when it holds no longer."""


@dataclass(frozen=True)
class Progress:
    """The figures of a step that were not written yet."""

    step: str
    done: int
    total: int
    unit: str
    note: str
    since: float | None = None  # by time.monotonic()


class ControlReporter:
    """The engine's Reporter on the control database, for the worker that holds ``token`` of a phase.

    Not for use by several threads. :meth:`flush` writes the last progress: call it when the engine returned.
    """

    def __init__(self, phase: PhaseRun, *, token: int, hold: Hold, patience_s: float) -> None:
        self._phase_id = phase.pk
        self._run_id = phase.run_id
        self._number = phase.number
        self._token = token
        self._worker = phase.lease_worker
        self._hold = hold
        self._patience_s = patience_s
        self._waiting: Progress | None = None
        self._written_at = 0.0
        self._asked_at = 0.0
        self._stop = False

    # -- what the engine tells

    def log(self, level: Level, message: str, *, step: str | None = None) -> None:
        """One line for people. Raises LeaseLost when the phase is another worker's."""
        self._write(
            lambda: LogLine.objects.create(
                run_id=self._run_id, phase=self._number, step=step or "", level=level, text=message
            )
        )

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        """A step has reached ``state``. Its progress is written first: figures never run backwards."""
        changes: dict[str, Any] = {"state": state.value, "error": error or ""}
        if state in {StepState.RUNNING, StepState.UNDOING}:
            changes |= {"started_at": Coalesce(F("started_at"), Now()), "finished_at": None} | QUIET
        if state in ENDED:
            changes |= {"finished_at": Now()} | QUIET
        if result is not None:
            changes["result"] = result
        switched_at = (result or {}).get("switched_at") if state == StepState.DONE else None
        self.flush()

        def write() -> None:
            self._steps(key).update(**changes)
            if switched_at is not None:
                progress.record_switch(self._run_id, at=datetime.fromisoformat(switched_at))

        self._write(write)

    def progress(
        self, key: str, done: int, total: int, *, unit: str, note: str = "", waited_s: float = 0.0
    ) -> None:
        """How far a step is. Written twice a second at most; the latest figure is kept for :meth:`flush`."""
        since = time.monotonic() - waited_s if note else None
        self._waiting = Progress(step=key, done=done, total=total, unit=unit, note=note, since=since)
        if done >= total or time.monotonic() - self._written_at >= PROGRESS_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write progress that was held back."""
        told, self._waiting = self._waiting, None
        if told is not None:
            self._write(lambda: self._steps(told.step).update(**self._figures(told)))
            self._written_at = time.monotonic()

    def pause(self, reason: str) -> None:
        """The target suffers: hold the run, which asks its phase to pause."""
        self._ask(
            lambda: holding.hold_for_load(
                self._phase_id, token=self._token, reason=reason, worker=self._worker
            )
        )
        self._asked_at = 0.0  # the next question hears of it

    # -- what the engine asks

    def stop_requested(self) -> bool:
        """Whether a person asked for a pause or a hold. An answer is a quarter of a second old at most."""
        self._hold.check()
        if not self._stop and time.monotonic() - self._asked_at >= ASK_EVERY_S:
            state = self._ask(
                lambda: PhaseRun.objects.filter(pk=self._phase_id).values_list("state", flat=True).get()
            )
            self._stop = state not in {PhaseState.RUNNING, PhaseState.UNDOING}
            self._asked_at = time.monotonic()
        return self._stop

    def beat(self) -> None:
        """Go on only while the lease is ours. The heartbeat's thread renews it; raises LeaseLost."""
        self._hold.check()

    def confirmation(self, step: str, *, undo: bool = False) -> Confirmation | None:
        """The person's word for a ``confirm`` step of this phase, when given."""
        row = self._ask(
            lambda: (
                ConfirmationRow.objects.filter(phase_id=self._phase_id, step_key=step, undo=undo)
                .select_related("person")
                .first()
            )
        )
        return (
            Confirmation(person=row.person.get_username(), evidence=row.evidence, at=row.at) if row else None
        )

    def adjusted(self) -> dict[str, float]:
        """What people have changed of the copy's settings."""
        return self._ask(lambda: adjusting.current(self._run_id))

    def window_whole(self) -> bool:
        """Whether the run's monitoring window is whole, by the rule of ``services.window``."""
        return self._ask(lambda: window.is_whole(self._run_id))

    def start_chunk_workers(self, count: int) -> None:
        """Ask for ``count`` more workers on this phase's chunks. Without a broker there are fewer hands."""
        for _ in range(count):
            dispatch.send("work_chunks", self._phase_id, token=self._token)

    # -- the control database

    def _figures(self, told: Progress) -> dict[str, Any]:
        """Since when is counted back from the control database's own time: workers' clocks may differ."""
        since = None if told.since is None else Now() - timedelta(seconds=time.monotonic() - told.since)
        figures = {"done": told.done, "total": told.total, "unit": told.unit}
        return figures | {"note": told.note, "note_since": since}

    def _steps(self, key: str) -> QuerySet[StepRun]:
        return StepRun.objects.filter(phase_id=self._phase_id, key=key)

    def _write(self, write: Callable[[], object]) -> None:
        """Execute ``write`` in one transaction that begins by proving the token."""

        def fenced() -> None:
            with transaction.atomic():
                token = (
                    PhaseRun.objects.select_for_update(no_key=True)
                    .filter(pk=self._phase_id)
                    .values_list("token", flat=True)
                    .get()
                )
                if token != self._token:
                    raise LeaseLost(f"phase {self._number} now belongs to another worker")
                write()

        self._ask(fenced)

    def _ask(self, ask: Callable[[], T]) -> T:
        """Execute ``ask``, and again while the control database is away and the lease still holds."""
        return outlast(ask, hold=self._hold, patience_s=self._patience_s)


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


def outlast(ask: Callable[[], T], *, hold: Hold, patience_s: float) -> T:
    """Execute ``ask`` until the control database answers, for ``patience_s`` and while ``hold`` holds.

    Raises LeaseLost when it stays away for longer. Inside a transaction nothing is tried again.
    """
    give_up = time.monotonic() + patience_s
    pause = 0.05
    while True:
        try:
            return ask()
        except OUTAGE as error:
            connection.close()
            hold.check()
            if time.monotonic() + pause >= give_up:
                raise LeaseLost(
                    f"the control database did not answer for {patience_s:.0f} s: this worker stops",
                    kept="every step and chunk that the ledger calls done",
                    next_step="nothing: once the control database answers, the sweeper has the phase resumed",
                ) from error
            logger.warning("control database away (%s), trying again", type(error).__name__)
            time.sleep(pause)
            pause = min(1.0, pause * 2)
