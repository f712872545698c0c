"""What pages show of a check's values over a window: a chart, the same as a table, and its words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 240.0, 150.0
"""The chart's own units. It stretches with the page; its labels do not."""


@dataclass(frozen=True)
class Dot:
    """A value that warned or failed, where it lies."""

    x: float
    y: float
    verdict: str


@dataclass(frozen=True)
class Band:
    """A part of the chart from left to right: closed hours, or what is to come."""

    x: float
    width: float


@dataclass(frozen=True)
class LimitLine:
    """Where the verdict changes. ``kind`` is the worse side's."""

    y: float
    kind: str


@dataclass(frozen=True)
class ValueRow:
    """One value as the table has it."""

    number: int
    at: datetime
    said: str
    verdict: str
    detail: str


@dataclass(frozen=True)
class ChartView:
    """The values of one check. ``label`` says in words what the lines show."""

    key: str
    title: str
    label: str
    newest: str
    lines: tuple[str, ...]
    dots: tuple[Dot, ...]
    missed: tuple[float, ...]
    limits: tuple[LimitLine, ...]
    grid: tuple[float, ...]
    closed: tuple[Band, ...]
    future: Band | None
    y_labels: tuple[str, ...]
    x_labels: tuple[datetime, ...]
    legend: tuple[tuple[str, str], ...]
    range_said: str
    rows: tuple[ValueRow, ...]


@dataclass(frozen=True)
class FlatView:
    """A check whose value has not changed: a line of text says it better than a chart."""

    key: str
    title: str
    said: str
    count: int
    rule: str


@dataclass(frozen=True)
class ChartsView:
    """The values of a window's checks: those that move, and those that stand still."""

    charts: tuple[ChartView, ...]
    flat: tuple[FlatView, ...]
