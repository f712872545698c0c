"""Timeframes and the grid of their bars, open and closed hours of the market included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from bars import market

STEPS: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "2h": timedelta(hours=2),
    "4h": timedelta(hours=4),
}
"""Length of a bar by timeframe, short ones first."""


@dataclass(frozen=True)
class Slot:
    """A place on the grid: a bar's interval, or a whole time [start, stop) in which the market is closed."""

    start: datetime
    stop: datetime
    closed: bool = False


def floor(moment: datetime, step: timedelta) -> datetime:
    """Return the start of the bar that ``moment`` lies in."""
    minutes = step // market.MINUTE
    return market.minute_start(market.minute_number(moment) // minutes * minutes)


def trades(start: datetime, step: timedelta) -> bool:
    """Tell whether the market is open at some time of the bar that starts at ``start``."""
    return market.is_open(start) or market.is_open(start + step - market.MINUTE)


def slots(start: datetime, stop: datetime, step: timedelta) -> Iterator[Slot]:
    """Yield the places of [start, stop) in order; both ends are rounded to the grid, the end upwards."""
    at, stop = floor(start, step), floor(stop - market.MINUTE, step) + step
    while at < stop:
        if trades(at, step):
            yield Slot(at, at + step)
            at += step
        else:
            opens = floor(market.next_opening(at), step)
            yield Slot(at, min(opens, stop), closed=True)
            at = opens


def before(stop: datetime, step: timedelta, count: int) -> datetime:
    """Return the start of the stretch that ends at ``stop`` and has room for ``count`` bars."""
    at = floor(stop - market.MINUTE, step) + step
    while count:
        at -= step
        if trades(at, step):
            count -= 1
        else:  # to the end of the trading week before
            at = floor(market.last_closing(at) - market.MINUTE, step) + step
    return at


def after(start: datetime, step: timedelta, count: int) -> datetime:
    """Return the end of the stretch that begins at ``start`` and has room for ``count`` bars."""
    at = floor(start, step)
    while count:
        if trades(at, step):
            count -= 1
            at += step
        else:
            at = floor(market.next_opening(at), step)
    return at
