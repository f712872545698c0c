"""How a copy is cut into chunks: bounds as text, ranges for several workers, a size that tunes itself.

A chunk is the half-open range ``(lo, hi]`` of the move's *order*: the chunk column, and after it the
key columns that the scope does not fix, so that a chunk column of few values can still be cut.
Bounds are kept as JSON arrays of the values' text; text goes into the target and out of it under
one pinned set of session settings, which makes the round trip exact for every type.

The ledger has one *pending* row per range that is left. A worker locks it, cuts off the next piece,
copies that, turns the row into the piece's *done* row and adds a pending row for what remains, all
in one transaction: pieces adjoin, none is copied twice, and the size may change with every piece.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from migration_runs.runbook.copying import CopySettings
from migration_runs.runbook.move import Move

RANGE_STRIDE = 1 << 32
"""Distance of the first numbers of two planned ranges; the pieces of a range count up from its number."""

RANGES_PER_WORKER = 4
"""More ranges than workers, so that a worker whose range was short or easy finds another."""

Bound = tuple[str, ...]


def order_columns(move: Move) -> tuple[str, ...]:
    """Source columns by which the move's rows are put in order and cut: unique together within the scope."""
    rest = tuple(name for name in move.key if name != move.chunk_column and name not in move.scope)
    return (move.chunk_column, *rest)


def encode(bound: Bound | None) -> str | None:
    """A bound as the ledger keeps it; None (the very beginning) stays None."""
    return None if bound is None else json.dumps(list(bound), ensure_ascii=False)


def decode(text: str | None) -> Bound | None:
    """The bound that :func:`encode` wrote."""
    return None if text is None else tuple(json.loads(text))


@dataclass(frozen=True)
class Range:
    """A range that is left to copy: ``(lo, hi]``, or from the beginning where ``lo`` is None.

    ``rows`` is how many are expected in it.
    """

    n: int
    lo: Bound | None
    hi: Bound
    rows: int


def split(sample: Sequence[Bound], *, last: Bound, rows: int, ranges: int) -> tuple[Range, ...]:
    """Ranges of about equal size that together cover everything up to ``last``.

    ``sample`` holds bounds in the order of the move, drawn from the rows at random; its quantiles
    become the inner bounds. Fewer ranges result where the sample is small.
    """
    inner: list[Bound] = []
    for number in range(1, ranges):
        at = number * len(sample) // ranges
        if at < len(sample) and sample[at] != last and (not inner or sample[at] != inner[-1]):
            inner.append(sample[at])
    bounds: list[Bound] = [*inner, last]
    lows: list[Bound | None] = [None, *inner]
    each, more = divmod(rows, len(bounds))
    return tuple(
        Range(n=number * RANGE_STRIDE, lo=lo, hi=hi, rows=each + (1 if number < more else 0))
        for number, (lo, hi) in enumerate(zip(lows, bounds, strict=True))
    )


class ChunkSize:
    """How many rows the next chunk takes, so that it lasts about ``target_ms``; beside live writes no longer
    than ``live_target_ms``.

    It at most doubles or halves from one chunk to the next: one slow chunk (a checkpoint, a cold
    cache) must not throw it far off. It stays inside the bounds that were signed.
    """

    def __init__(self, settings: CopySettings) -> None:
        self._settings = settings
        self._target_ms = settings.target_ms
        self.rows = min(max(settings.initial_rows, settings.min_rows), settings.max_rows)

    def follow(self, settings: CopySettings, *, live: bool = False) -> None:
        """From now on by these settings: a person may move the target times while the copy runs.

        ``live``: an application changes rows of the move. A shorter time holds from the next chunk on.
        """
        self._settings = settings
        wanted = min(settings.target_ms, settings.live_target_ms) if live else settings.target_ms
        if wanted < self._target_ms:
            self._set(self.rows * wanted / self._target_ms)
        self._target_ms = wanted

    def took(self, *, rows: int, ms: float) -> None:
        """Learn from a copied chunk of ``rows`` rows that took ``ms`` milliseconds.

        A piece that was short because its range ended says nothing, unless it was slow all the same.
        """
        if rows * 2 < self.rows and ms < self._target_ms:
            return
        ideal = rows * self._target_ms / max(ms, 0.1)
        self._set(min(max(ideal, self.rows / 2), self.rows * 2))

    def yielded(self) -> None:
        """Learn from a chunk that gave way to the application: take half next time."""
        self._set(self.rows / 2)

    def _set(self, rows: float) -> None:
        self.rows = min(max(int(rows), self._settings.min_rows, 1), self._settings.max_rows)


def retry_delay(attempt: int, *, chance: random.Random | None = None) -> float:
    """Seconds to wait before trying again after ``attempt`` (from 1) failed.

    Doubling from 20 ms to 2 s, of which up to half is left to chance: two workers that collided would
    otherwise collide again.
    """
    longest = min(0.02 * 2.0 ** (attempt - 1), 2.0)
    return longest * (0.5 + 0.5 * (chance or random).random())
