"""Two sessions in forced order: a statement runs in a thread, and the test waits until it is blocked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import psycopg

from migration_runs.engine.job import Confirmation, Level
from migration_runs.engine.outcome import CopyFigures
from migration_runs.states import StepState

T = TypeVar("T")


class Background(Generic[T]):
    """Work in a thread of its own. ``result()`` waits for it and raises what it raised."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001 - handed to the test, which raises it
            self._error.append(error)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def result(self) -> T:
        """What the work returned; raises what it raised."""
        self._thread.join(60)
        assert not self._thread.is_alive(), "still running after a minute"
        if self._error:
            raise self._error[0]
        return self._result[0]


def wait_until(condition: Callable[[], bool], *, what: str) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"never came to pass: {what}"
        time.sleep(0.005)


def wait_blocked(watcher: psycopg.Connection[Any], pid: int) -> None:
    """Wait until session ``pid`` waits for a lock."""

    def blocked() -> bool:
        row = watcher.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)).fetchone()
        return bool(row and row[0])

    wait_until(blocked, what=f"pid {pid} blocked")


class Quiet:
    """A reporter that keeps what it is told, and never asks to stop unless told to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.notes: list[str] = []
        self.stop = False

    def log(self, level: Level, message: str, *, step: str | None = None) -> None:
        self.lines.append(f"{level}: {message}")

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        self.lines.append(f"{key}: {state}")

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
        self.notes.append(note)

    def stop_requested(self) -> bool:
        return self.stop

    def beat(self) -> None:
        pass

    def confirmation(self, step: str, *, undo: bool = False) -> Confirmation | None:
        return None

    def adjusted(self) -> Mapping[str, float]:
        return {}

    def pause(self, reason: str) -> None:
        self.stop = True

    def start_chunk_workers(self, count: int) -> None:
        pass

    def window_whole(self) -> bool:
        return True
