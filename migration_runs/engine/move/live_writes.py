"""Whether an application changes rows of the move while they are copied: then chunks are short.

A write on a key of the open chunk waits for the chunk's end, and a row that the forward trigger brings into
the chunk's range makes the chunk fail. Both grow with the square of the chunk's length.

Forward numbers every key that it notes, so two looks at that number say how many rows were changed in
between. A copy that overwrites rows notes those there as well, and makes short chunks for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

MANY_PER_S = 10
"""So many changed rows a second are worth short chunks: a feed's row now and then is not."""

OVER_S = 1.0
HOLD_S = 5.0
"""How long a sign of live writes is believed: short chunks see few signs."""

ASSUMED_S = 2 * OVER_S
"""How long writes are taken for granted by a worker that begins: the first chunk cannot know."""


class LiveWrites:
    """Remembers signs of live writes. ``clock`` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._mark: tuple[float, int] | None = None
        self._sign_at = clock() - HOLD_S + ASSUMED_S

    def noted(self, number: int) -> None:
        """Forward has noted ``number`` keys since ever. A burst counts as if it had taken a second."""
        now = self._clock()
        if self._mark is None:
            self._mark = now, number
            return
        since, before = self._mark
        if number - before >= MANY_PER_S * max(now - since, OVER_S):
            self._sign_at = now
        if now - since >= OVER_S:
            self._mark = now, number

    def collided(self) -> None:
        """A row arrived in the range of an open chunk, which failed of it."""
        self._sign_at = self._clock()

    @property
    def many(self) -> bool:
        """Whether there was a sign lately, or too little time to see one."""
        return self._clock() - self._sign_at < HOLD_S
