"""The scale of a chart: which values its edges and lines have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from migration_runs.selectors.chart_views import HEIGHT
from migration_runs.selectors.check_rules import Limit

MOST_STEPS = 4
FROM_ZERO = frozenset({"seconds", "count"})
SECONDS = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400,
)  # fmt: skip
"""Steps that durations read well by."""
EDGE = 1.0  # so that a line at an edge keeps its width


@dataclass(frozen=True)
class Scale:
    """Ticks from the lowest to the highest, evenly spaced."""

    ticks: tuple[float, ...]

    @property
    def bottom(self) -> float:
        """The value at the lower edge."""
        return self.ticks[0]

    @property
    def top(self) -> float:
        """The value at the upper edge."""
        return self.ticks[-1]

    @property
    def decimals(self) -> int:
        """Digits after the point that tell its ticks apart."""
        step = self.ticks[1] - self.ticks[0]
        return min(max(0, -math.floor(math.log10(step) + 1e-9)), 9)

    def y(self, value: float) -> float:
        """Where a value lies, from the top; a value outside lies on the edge."""
        part = (min(max(value, self.bottom), self.top) - self.bottom) / (self.top - self.bottom)
        return round(HEIGHT - EDGE - part * (HEIGHT - 2 * EDGE), 1)

    def holds(self, value: float) -> bool:
        """Whether a value lies on the scale."""
        return self.bottom <= value <= self.top


def scale_of(values: Sequence[float], limits: Sequence[Limit], unit: str) -> Scale:
    """A scale on which every value lies, and the limits too where they are not far away.

    Durations and counts begin at zero and show their limits: how far off they are is the point.
    """
    low, high = min(values), max(values)
    if unit in FROM_ZERO and low >= 0:
        bounds = [limit.value for limit in limits if limit.value > 0]
        return _by_limits(high, bounds) or _even(0.0, max([high, *bounds]), unit)
    spread = high - low or abs(high) or 1.0
    near = [limit.value for limit in limits if low - spread <= limit.value <= high + spread]
    return _even(min([low, *near]), max([high, *near]), unit)


def _by_limits(high: float, bounds: list[float]) -> Scale | None:
    """Ticks at the limits themselves, where they are multiples of the first and few steps are enough."""
    if not bounds:
        return None
    step = min(bounds)
    if any(not math.isclose(bound / step, round(bound / step)) for bound in bounds):
        return None
    count = max(math.ceil(high / step), round(max(bounds) / step))
    if count * step <= max(bounds):
        count += 1  # beyond the last limit there is a side to see
    if count > MOST_STEPS:
        return None
    return Scale(tuple(number * step for number in range(max(count, 1) + 1)))


def _even(low: float, high: float, unit: str) -> Scale:
    step = _step((high - low) / MOST_STEPS or abs(high) / MOST_STEPS or 1.0, unit)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return Scale(tuple(round(number * step, 10) for number in range(first, last + 1)))


def _step(wanted: float, unit: str) -> float:
    """The smallest round number that is not below ``wanted``."""
    if unit == "seconds":
        fitting = next((step for step in SECONDS if step >= wanted), None)
        if fitting is not None:
            return float(fitting)
    power = 10.0 ** math.floor(math.log10(wanted))
    rounded = next(part for part in (1, 2, 5, 10) if part * power >= wanted * (1 - 1e-9)) * power
    return max(rounded, 1.0) if unit == "count" else rounded
