"""The pace of a step as a small chart: units per second between the points that were kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

WIDTH, HEIGHT, EDGE = 100.0, 44.0, 0.5
LATEST_S = 10.0
"""The pace now is that of so many seconds at least."""


@dataclass(frozen=True)
class PaceView:
    """``line`` is the points of a polyline in a box of 100 by 44; ``top`` the pace at its upper edge, per
    second. ``latest`` is the pace of the last seconds.
    """

    line: str
    top: int
    begin: datetime
    end: datetime
    highest: float
    latest: float


def pace_of(points: Sequence[Sequence[float]]) -> PaceView | None:
    """None while there is nothing to draw: fewer than three points, or no time between them."""
    if len(points) < 3 or points[-1][0] <= points[0][0]:
        return None
    begin, end = points[0][0], points[-1][0]
    paces = [
        (after[0], (after[1] - before[1]) / (after[0] - before[0]))
        for before, after in pairwise(points)
        if after[0] > before[0]
    ]
    highest = max(pace for _, pace in paces)
    top = _round_up(highest)
    line = [(begin, paces[0][1]), *paces]
    scale = WIDTH / (end - begin)
    return PaceView(
        line=" ".join(f"{(at - begin) * scale:.1f},{_y(pace / top):.1f}" for at, pace in line),
        top=top,
        begin=datetime.fromtimestamp(begin, UTC),
        end=datetime.fromtimestamp(end, UTC),
        highest=highest,
        latest=_latest(points),
    )


def _y(part: float) -> float:
    """Where a part of the highest lies, from the top."""
    return HEIGHT - EDGE - part * (HEIGHT - 2 * EDGE)


def _latest(points: Sequence[Sequence[float]]) -> float:
    end, done = points[-1][:2]
    before = next((point for point in reversed(points[:-1]) if end - point[0] >= LATEST_S), points[0])
    return (done - before[1]) / max(end - before[0], 0.001)


def _round_up(pace: float) -> int:
    """The next number of one digit and zeros: 2,917 becomes 3,000."""
    if pace <= 1:
        return 1
    size: int = 10 ** math.floor(math.log10(pace))
    return math.ceil(pace / size) * size
