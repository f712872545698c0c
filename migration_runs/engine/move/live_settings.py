"""The copy's settings as they are now: the plan's, with what people have changed since, inside the signed
bounds.
"""

from __future__ import annotations

import time

from migration_runs.engine.job import Reporter
from migration_runs.runbook.copying import CopySettings

ASK_EVERY_S = 1.0


class LiveSettings:
    """Asks for changes, once a second at most. ``leads``: says what changed, and asks for hands that are
    wanted.
    """

    def __init__(self, signed: CopySettings, reporter: Reporter, *, step: str, leads: bool = False) -> None:
        self._signed = signed
        self._reporter = reporter
        self._step = step
        self._leads = leads
        self._asked_at = float("-inf")
        self._now = signed
        self._hands = 1

    def now(self) -> CopySettings:
        """The settings by which the next chunk is copied."""
        if time.monotonic() - self._asked_at < ASK_EVERY_S:
            return self._now
        self._asked_at = time.monotonic()
        before, self._now = self._now, self._signed.adjusted(self._reporter.adjusted())
        if self._leads:
            self._tell(before)
            self._ask_for_hands()
        return self._now

    def _tell(self, before: CopySettings) -> None:
        for name in self._signed.adjustable:
            was, now = before.value(name), self._now.value(name)
            if was != now:
                self._reporter.log("info", f"{name} is {now:g} from here on (was {was:g})", step=self._step)

    def _ask_for_hands(self) -> None:
        """Extra workers beyond those asked for already. Those that are too many leave by themselves."""
        if self._now.workers > self._hands:
            self._reporter.start_chunk_workers(self._now.workers - self._hands)
        self._hands = self._now.workers
