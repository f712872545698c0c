"""A chart of bars as two tables have them: what is drawn where, what is missing, where the tables differ."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bars import timeframes
from bars.panel_data import Bar, Held
from bars.timeframes import Slot

Kind = Literal["same", "differs", "only derived", "only direct"]
FIELDS = ("open", "high", "low", "close", "vol", "vwap", "trade_count")


@dataclass(frozen=True)
class Candle:
    """A bar at its place (0 is the first); ``bar`` is None where no candle can be drawn of its values."""

    place: int
    at: datetime
    kind: Kind
    bar: Bar | None
    held: Held

    @property
    def shown(self) -> Bar | None:
        """Its values, whether they can be drawn or not."""
        return self.held.direct or self.held.derived

    @property
    def where(self) -> str:
        """Which tables have it."""
        if self.held.direct and self.held.derived:
            return "both, not alike" if self.kind == "differs" else "both"
        return "data_bars" if self.held.direct else "derived_data_bars"


@dataclass(frozen=True)
class Stretch:
    """Neighbouring places [place, end) and their time [start, stop)."""

    place: int
    end: int
    start: datetime
    stop: datetime

    @property
    def places(self) -> int:
        """How many bars would have room."""
        return self.end - self.place


@dataclass(frozen=True)
class Difference:
    """A bar that the tables do not have alike; ``values`` are (field, derived, direct) of what differs."""

    at: datetime
    kind: Kind
    values: tuple[tuple[str, float | None, float | None], ...]


@dataclass(frozen=True)
class Chart:
    """Everything that a chart shows.

    ``compared`` is whether both tables have bars here; where only one has, none is missing in the other.
    ``unplaced`` are bars beside the grid or in closed hours, ``unreadable`` those without a finite price.
    """

    slots: tuple[Slot, ...]
    candles: tuple[Candle, ...]
    gaps: tuple[Stretch, ...]
    closed: tuple[Stretch, ...]
    differences: tuple[Difference, ...]
    compared: bool
    unplaced: tuple[datetime, ...]
    unreadable: tuple[datetime, ...]
    low: float
    high: float

    @property
    def missing(self) -> int:
        """Bars that have room and are not there."""
        return sum(gap.places for gap in self.gaps)


def chart(
    held: Iterable[Held],
    *,
    start: datetime,
    stop: datetime,
    step: timedelta,
    since: datetime,
    now: datetime,
) -> Chart:
    """Lay out the bars of [start, stop).

    Nothing is missing before ``since``, where the series begins, nor what has not ended at ``now``.
    """
    found = list(held)
    slots = tuple(timeframes.slots(start, stop, step))
    place_of = {slot.start: place for place, slot in enumerate(slots) if not slot.closed}
    compared = any(one.direct for one in found) and any(one.derived for one in found)
    candles = tuple(
        Candle(
            place=place_of[one.at],
            at=one.at,
            kind=_kind(one, compared=compared),
            bar=drawn(one),
            held=one,
        )
        for one in found
        if one.at in place_of
    )
    filled = {candle.place for candle in candles}
    gaps = [
        place
        for place, slot in enumerate(slots)
        if not slot.closed and place not in filled and since <= slot.start and slot.stop <= now
    ]
    prices = [price for candle in candles if candle.bar for price in (candle.bar.low, candle.bar.high)]
    known = [price for price in prices if price is not None]
    return Chart(
        slots=slots,
        candles=candles,
        gaps=_stretches(gaps, slots),
        closed=_stretches([place for place, slot in enumerate(slots) if slot.closed], slots),
        differences=tuple(
            _difference(candle.held, candle.kind) for candle in candles if candle.kind != "same"
        ),
        compared=compared,
        unplaced=tuple(one.at for one in found if one.at not in place_of),
        unreadable=tuple(candle.at for candle in candles if candle.bar is None),
        low=min(known, default=0.0),
        high=max(known, default=0.0),
    )


def drawn(one: Held) -> Bar | None:
    """Return the bar that is drawn: that of ``data_bars`` where it has one; None without finite prices."""
    bar = one.direct or one.derived
    assert bar is not None
    prices = (bar.open, bar.high, bar.low, bar.close)
    return bar if all(price is not None and math.isfinite(price) for price in prices) else None


def _kind(one: Held, *, compared: bool) -> Kind:
    if not compared:
        return "same"
    if one.direct is None:
        return "only derived"
    if one.derived is None:
        return "only direct"
    return "differs" if _differing(one.derived, one.direct) else "same"


def _differing(derived: Bar | None, direct: Bar | None) -> tuple[tuple[str, float | None, float | None], ...]:
    pairs = ((field, getattr(derived, field, None), getattr(direct, field, None)) for field in FIELDS)
    return tuple((field, a, b) for field, a, b in pairs if not _same(a, b))


def _same(a: float | None, b: float | None) -> bool:
    """NaN equals itself, as in the database."""
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def _difference(one: Held, kind: Kind) -> Difference:
    return Difference(at=one.at, kind=kind, values=_differing(one.derived, one.direct))


def _stretches(places: list[int], slots: tuple[Slot, ...]) -> tuple[Stretch, ...]:
    groups: dict[int, list[int]] = defaultdict(list)
    for nth, place in enumerate(places):
        groups[place - nth].append(place)  # neighbours have the same distance to their number
    return tuple(
        Stretch(group[0], group[-1] + 1, slots[group[0]].start, slots[group[-1]].stop)
        for group in groups.values()
    )
