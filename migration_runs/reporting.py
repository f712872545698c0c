"""How a worker tells the control database what happens on the target, and hears what people ask of it.

Written here: log lines, and state, progress and result of steps. Nothing of this is a gate; states of
phases and runs move in services alone. Every write proves the lease's token first, under a lock on the
phase's row, so that a worker that was frozen and woke up writes nothing here either.

A control database that is away for some seconds is waited for: no line, state or result is dropped. One that
is away for the whole length of the lease ends in LeaseLost, and the sweeper has the phase resumed later.
"""

from __future__ import annotations

import dataclasses
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
from migration_runs.engine.outcome import CopyFigures
from migration_runs.exceptions import LeaseLost
from migration_runs.heartbeat import OUTAGE
from migration_runs.models import Confirmation as ConfirmationRow
from migration_runs.models import LogLine, PhaseRun, StepRun
from migration_runs.services import adjusting, holding, pace, progress, window
from migration_runs.states import PhaseState, StepState

logger = logging.getLogger(__name__)

PROGRESS_EVERY_S = 0.5
"""Progress of a step is written at most this often; its last figure always is."""

ASK_EVERY_S = 0.25
"""How old the answer to "did a person ask to stop" may be, and a chunk worker's proof of its token."""

ENDED = frozenset({
    StepState.DONE, StepState.SKIPPED, StepState.FAILED, StepState.UNDONE, StepState.UNDO_FAILED,
})  # fmt: skip

WELL_ENDED = frozenset({StepState.DONE, StepState.SKIPPED, StepState.UNDONE})
"""Told together with what follows at once: the next step, or the end of the turn."""

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
    figures: CopyFigures | None = None


class ControlReporter:
    """The engine's Reporter on the control database, for the worker that holds ``token`` of a phase.

    Not for use by several threads. What is told goes there at once, but for progress and for the end of a
    step that went well: those wait for what is told next, so that a step costs one commit and not three.
    When the engine has returned, :meth:`flush` writes what still waits.
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
        self._held: list[Callable[[], object]] = []
        self._ended: str | None = None
        self._written_at = 0.0
        self._asked_at = 0.0
        self._stop = False

    # -- what the engine tells

    def log(self, level: Level, message: str, *, step: str | None = None) -> None:
        """One line for people. Raises LeaseLost when the phase is another worker's."""
        self._held.append(
            lambda: LogLine.objects.create(
                run_id=self._run_id, phase=self._number, step=step or "", level=level, text=message
            )
        )
        if step is None or step != self._ended:
            self.flush()

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        """A step has reached ``state``. Its progress is written first: figures never run backwards.

        That it went well, and lines about it from then on, are written with whatever is told next.
        """
        changes: dict[str, Any] = {"state": state.value, "error": error or ""}
        if state in {StepState.RUNNING, StepState.UNDOING}:
            changes |= {"started_at": Coalesce(F("started_at"), Now()), "finished_at": None} | QUIET
        if state == StepState.UNDOING:
            changes |= {"points": [], "figures": None}
        if state in ENDED:
            changes |= {"finished_at": Now()} | QUIET
        if result is not None:
            changes["result"] = result
        switched_at = (result or {}).get("switched_at") if state == StepState.DONE else None
        self._hold_progress()

        def write() -> None:
            self._steps(key).update(**changes)
            if switched_at is not None:
                progress.record_switch(self._run_id, at=datetime.fromisoformat(switched_at))

        self._held.append(write)
        self._ended = key if state in WELL_ENDED else None
        if self._ended is None:
            self.flush()

    def progress(
        self,
        key: str,
        done: int,
        total: int,
        *,
        unit: str,
        note: str = "",
        waited_s: float = 0.0,
        figures: CopyFigures | None = None,
    ) -> None:
        """How far a step is. Written twice a second at most; the latest figure is kept for :meth:`flush`."""
        since = time.monotonic() - waited_s if note else None
        self._waiting = Progress(key, done, total, unit=unit, note=note, since=since, figures=figures)
        if done >= total or time.monotonic() - self._written_at >= PROGRESS_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write everything that was held back."""
        self._hold_progress()
        if self._held:
            self._ask(self.write_held)
            self.written()

    def write_held(self) -> None:
        """Write everything that was held back, in the caller's transaction or one of its own.

        What was written counts as held until :meth:`written` says that it is committed. Raises LeaseLost.
        """
        self._hold_progress()
        with transaction.atomic(savepoint=False):
            token = (
                PhaseRun.objects.select_for_update(no_key=True)
                .filter(pk=self._phase_id)
                .values_list("token", flat=True)
                .get()
            )
            if token != self._token:
                raise LeaseLost(f"phase {self._number} now belongs to another worker")
            for write in self._held:
                write()

    def written(self) -> None:
        """What was held back is committed."""
        self._held.clear()

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

    def _hold_progress(self) -> None:
        told, self._waiting = self._waiting, None
        if told is not None:
            self._held.append(lambda: self._write_progress(told))
            self._written_at = time.monotonic()

    def _write_progress(self, told: Progress) -> None:
        """Under the lock on the phase's row, so that no other worker's point is lost."""
        steps = self._steps(told.step)
        before = steps.annotate(now=Now()).values_list("points", "now").first()
        if before is None:
            return
        points, now = before
        more: dict[str, Any] = {"points": pace.added(points, at=now, done=told.done)}
        if told.figures is not None:
            more["figures"] = dataclasses.asdict(told.figures)
        steps.update(**self._figures(told), **more)

    def _ask(self, ask: Callable[[], T]) -> T:
        """Execute ``ask``, and again while the control database is away and the lease still holds."""
        return outlast(ask, hold=self._hold, patience_s=self._patience_s)


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
