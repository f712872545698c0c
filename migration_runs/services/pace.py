"""The way that a step's figure took: few points of time and figure, however long the step lasts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

Point = tuple[float, int]
"""Seconds since 1970 by the control database's clock, and what was done then."""

MOST_POINTS = 120
APART = 60
"""Points are at least so small a part of the whole time apart; the last one follows the latest figure."""

AT_LEAST_S = 1.0


def added(points: Sequence[Sequence[float]], *, at: datetime, done: int) -> list[Point]:
    """The points with the latest figure, thinned to ``MOST_POINTS`` at most; the first one always stays.

    A figure that is behind the latest one came late from another worker and changes nothing.
    """
    kept: list[Point] = [(float(moment), int(figure)) for moment, figure in points]
    if kept and done < kept[-1][1]:
        return kept
    now = at.timestamp()
    if len(kept) > 1 and kept[-1][0] - kept[-2][0] < max(AT_LEAST_S, (now - kept[0][0]) / APART):
        kept.pop()
    kept.append((round(now, 1), done))
    return kept if len(kept) <= MOST_POINTS else [kept[0], *kept[1:-1:2], kept[-1]]
