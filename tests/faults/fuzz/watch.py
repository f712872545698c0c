"""What goes on beside a run all the while: the drain, as a task of its own, and the live comparison."""

from __future__ import annotations

import random
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable

from migration_runs.engine.job import Job
from migration_runs.engine.move import drain, locking, verification
from migration_runs.exceptions import Fenced
from tests.faults.fuzz.judge import Violation
from tests.integration.sessions import Quiet


class Watch(threading.Thread, ABC):
    """Does one thing again and again, with a pause of a random length between, until stopped."""

    def __init__(self, name: str, rng: random.Random, pauses: tuple[float, float]) -> None:
        super().__init__(daemon=True, name=name)
        self.found: list[Violation] = []
        self.times = 0
        self._rng, self._pauses = rng, pauses
        self._stop_asked = threading.Event()
        self._allowed = threading.Event()
        self._at_rest = threading.Lock()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            if self._allowed.is_set():
                with self._at_rest:
                    if self._allowed.is_set():
                        self._guarded()
            self._stop_asked.wait(self._rng.uniform(*self._pauses))

    @abstractmethod
    def look(self) -> None:
        """The one thing."""

    def allow(self) -> None:
        """Begin, or go on."""
        self._allowed.set()

    def rest(self) -> None:
        """Pause; the current round has ended when this returns."""
        self._allowed.clear()
        with self._at_rest:
            pass

    def stop(self) -> None:
        """End for good."""
        self._stop_asked.set()
        self.join()

    def _guarded(self) -> None:
        try:
            self.look()
            self.times += 1
        except (Fenced, *locking.GAVE_WAY):
            pass  # the phase has gone to another worker, or a table is locked: next time
        except Exception:  # noqa: BLE001 - told as a violation
            self.found.append(Violation("crashed", f"{self.name}: {traceback.format_exc()}"))
            self._stop_asked.set()


class Drainer(Watch):
    """Drains the list with the token of the run's last worker."""

    def __init__(self, rng: random.Random, job: Callable[[], Job]) -> None:
        super().__init__("drain", rng, (0.01, 0.15))
        self._job = job

    def look(self) -> None:
        result = drain.drain(self._job(), Quiet())
        if result.stuck:
            self.found.append(Violation("stuck", f"the drain cannot settle {result.stuck[:3]}"))


class Verifier(Watch):
    """The live comparison: every difference must be on the list."""

    def __init__(self, rng: random.Random, job: Callable[[], Job]) -> None:
        super().__init__("verification", rng, (0.1, 0.4))
        self._job = job

    def look(self) -> None:
        job = self._job()
        found = verification.verify(job.target_url, job.plan, job.run_uid, examples=5)
        if not found.clean:
            self.found.append(
                Violation("unexplained", f"{verification.in_words(found)}: {found.examples[:3]}")
            )
