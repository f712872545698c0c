"""A reporter without an audience. Further chunk workers are threads: the work is the server's."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from migration_runs.engine.job import Confirmation, Job, Level
from migration_runs.engine.move import copier
from migration_runs.engine.outcome import CopyFigures
from migration_runs.states import StepState


class Quiet:
    """Tells nobody anything, asks for no pause, starts the chunk workers that it is asked for."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._workers: list[threading.Thread] = []
        self._failed: list[BaseException] = []

    def log(self, level: Level, message: str, *, step: str | None = None) -> None:
        """Not kept."""

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        """Not kept."""

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
        """Not kept."""

    def stop_requested(self) -> bool:
        """Never."""
        return False

    def beat(self) -> None:
        """There is no lease."""

    def confirmation(self, step: str, *, undo: bool = False) -> Confirmation | None:  # noqa: ARG002 - a protocol
        """Nobody confirms."""
        return None

    def window_whole(self) -> bool:
        """There is no window."""
        return False

    def adjusted(self) -> Mapping[str, float]:
        """Nobody adjusts anything."""
        return {}

    def pause(self, reason: str) -> None:
        """Nothing: a benchmark goes on."""

    def start_chunk_workers(self, count: int) -> None:
        """So many more workers, each with a session of its own."""
        for _ in range(count):
            self._workers.append(threading.Thread(target=self._work))
            self._workers[-1].start()

    def join(self) -> None:
        """Wait for all of them; raises what one of them raised."""
        for worker in self._workers:
            worker.join()
        if self._failed:
            raise self._failed[0]

    def _work(self) -> None:
        try:
            copier.help_out(self._job, self)
        except BaseException as error:  # noqa: BLE001 - raised again by join(), in the thread that measures
            self._failed.append(error)
