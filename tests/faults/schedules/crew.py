"""People who know what is going on: they help a run once what hurt it is over, and not before."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

from tests.faults.driver import LOOK_EVERY_S, OUTAGE, Driver

GIVE_UP_S = 600.0
"""Only against hanging: a run that stands still for longer than it may is given up by ``stalled``."""

HELD_UP = {"on_hold"}
STOPPED = {"failed", "paused", "undo_failed"}


@dataclass
class Crew(Driver):
    """``waits``: whether something still is in the way. ``stalled``: why the run is to be given up, or ''."""

    waits: Callable[[], bool] = lambda: False
    stalled: Callable[[], str] = lambda: ""

    def until(self, reached: Callable[[], bool], what: str, *, give_up_s: float = GIVE_UP_S) -> None:
        """As a driver does, and given up as soon as the run is stalled."""

        def reached_or_stalled() -> bool:
            if why := self.stalled():
                raise AssertionError(f"{why}: {self.standing()}")
            return reached()

        super().until(reached_or_stalled, what, give_up_s=give_up_s)

    def look(self) -> None:
        """As a driver does, but what has stopped is left alone while what stopped it lasts."""
        if self.waits() and self._is_stopped():
            return
        super().look()

    def wait(self, seconds: float) -> None:
        """Do what people do for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.look()
            except OUTAGE:
                connection.close()
            time.sleep(LOOK_EVERY_S)

    def _is_stopped(self) -> bool:
        run = self.run
        return run.state in HELD_UP or run.phases.filter(state__in=STOPPED).exists()
