"""A chart as SVG shapes: coordinates alone. The page adds words, colours come from classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bars.charting import Candle, Chart, Kind, Stretch

WIDE = 10
"""Units of a bar's place; the picture is stretched to the width of the page."""

HIGH = 320
TOP, BOTTOM = 28, 300
"""Prices lie between these; above them is the lane of marks, below them that of gaps."""

LANE = 10
LINES = 5
LABELS = 5
FLAT = 0.5  # a body that would be lower than this is drawn as a line


@dataclass(frozen=True)
class Shape:
    """A candle: its wick as a path, its body as a box (``width`` 0: in the path), filled if it fell."""

    candle: Candle
    path: str
    x: float
    y: float
    width: float
    height: float
    fell: bool

    @property
    def words(self) -> str:
        """Time and prices, for who points at it."""
        bar = self.candle.bar
        assert bar is not None
        prices = f"open {bar.open} high {bar.high} low {bar.low} close {bar.close}"
        return f"{self.candle.at:%a %d %b %H:%M} {prices}"


@dataclass(frozen=True)
class Mark:
    """Where the tables differ: a path whose class gives the shape."""

    at: datetime
    kind: Kind
    path: str


@dataclass(frozen=True)
class Band:
    """A stretch of time over the whole height."""

    x: float
    width: float
    stretch: Stretch


@dataclass(frozen=True)
class Drawing:
    """Everything to draw, ``width`` by ``HIGH`` units, with the labels beside it."""

    width: int
    shapes: tuple[Shape, ...]
    marks: tuple[Mark, ...]
    gaps: tuple[Band, ...]
    closed: tuple[Band, ...]
    lines: tuple[float, ...]
    prices: tuple[str, ...]
    times: tuple[datetime, ...]
    height: int = HIGH

    @property
    def unchanged(self) -> bool:
        """Whether a bar closed where it opened: a line instead of a body."""
        return any(not shape.width for shape in self.shapes)


def draw(chart: Chart) -> Drawing:
    """Lay the chart out. A chart without a price has an empty scale."""
    low, high = _scale(chart)

    def y(price: float | None) -> float:
        assert price is not None  # only bars with finite prices are drawn
        return round(BOTTOM - (price - low) / (high - low) * (BOTTOM - TOP), 2)

    def price(at: float) -> float:
        return low + (BOTTOM - at) / (BOTTOM - TOP) * (high - low)

    lines = tuple(HIGH * n / (LINES - 1) for n in range(LINES))
    decimals = _decimals((high - low) / LINES)
    places = len(chart.slots)
    return Drawing(
        width=max(places, 1) * WIDE,
        shapes=tuple(_shape(candle, y) for candle in chart.candles if candle.bar),
        marks=tuple(_mark(candle) for candle in chart.candles if candle.kind != "same"),
        gaps=tuple(_band(gap) for gap in chart.gaps),
        closed=tuple(_band(band) for band in chart.closed),
        lines=lines[1:-1],
        prices=tuple(f"{price(at):,.{decimals}f}" for at in lines) if chart.high else (),
        times=_times(chart),
    )


def _times(chart: Chart) -> tuple[datetime, ...]:
    """The times that lie at equal steps over the whole width, both ends included."""
    slots = chart.slots
    if len(slots) < LABELS:
        return tuple(slot.start for slot in slots[:1])
    return (*(slots[n * len(slots) // (LABELS - 1)].start for n in range(LABELS - 1)), slots[-1].stop)


def _scale(chart: Chart) -> tuple[float, float]:
    """The lowest and highest price with some room; never one and the same."""
    room = max((chart.high - chart.low) * 0.05, abs(chart.high) * 1e-6, 1e-9)
    return chart.low - room, chart.high + room


def _decimals(step: float) -> int:
    return max(0, min(8, 1 - math.floor(math.log10(step))))


def _shape(candle: Candle, y: Callable[[float | None], float]) -> Shape:
    bar = candle.bar
    assert bar is not None
    middle = candle.place * WIDE + WIDE / 2
    opened, closed = y(bar.open), y(bar.close)
    left, width = candle.place * WIDE + 1.5, WIDE - 3
    top, height = min(opened, closed), abs(opened - closed)
    path = f"M{middle:g} {y(bar.high):g}V{top:g}M{middle:g} {top + height:g}V{y(bar.low):g}"
    if height < FLAT:
        return Shape(candle, f"{path}M{left:g} {top:g}h{width:g}", left, top, 0, 0, fell=False)
    return Shape(candle, path, left, top, width, round(height, 2), fell=closed > opened)


def _mark(candle: Candle) -> Mark:
    middle = candle.place * WIDE + WIDE / 2
    path = f"M{middle:g} {LANE:g}h0"
    if candle.kind == "only direct":
        path = f"M{middle:g} {LANE - 7:g}v14"
    return Mark(candle.at, candle.kind, path)


def _band(stretch: Stretch) -> Band:
    return Band(stretch.place * WIDE, stretch.places * WIDE, stretch)
