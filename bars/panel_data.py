"""What the pages of the bars read from the target, by parameters alone, in a fixed number of queries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connections, router

from bars import sql_files
from bars.models import DataBar
from bars.timeframes import STEPS

READ_BYTES = 16 * 1024 * 1024
"""Of each table about so much is read to tell how many bars its series have."""

TABLES = ("data_bars", "derived_data_bars")
COUNTED_WHOLE = 100.0  # percent


@dataclass(frozen=True)
class Bar:
    """A bar's values; any of them may be missing in ``data_bars``."""

    open: float | None
    high: float | None
    low: float | None
    close: float | None
    vol: float | None = None
    vwap: float | None = None
    trade_count: int | None = None


@dataclass(frozen=True)
class Held:
    """A bar as ``data_bars`` (direct) and ``derived_data_bars`` (derived) have it; at least one does."""

    at: datetime
    direct: Bar | None
    derived: Bar | None


@dataclass(frozen=True)
class Clock:
    """The market's time, and its seconds per real second."""

    now: datetime
    speed: float


@dataclass(frozen=True)
class Series:
    """Bars of a symbol and timeframe in one table; ``count`` is exact where ``exact`` says so."""

    symbol: str
    timeframe: str
    table: str
    newest: datetime
    count: int
    exact: bool


@dataclass(frozen=True)
class Asset:
    """A symbol of the registry; ``metadata`` is None where there is none, or no column for it yet."""

    symbol: str
    asset_class: str
    ticker: str | None
    active: bool
    metadata: Mapping[str, Any] | None


def _rows(name: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connections[router.db_for_read(DataBar)].cursor() as cursor:
        cursor.execute(sql_files.read(f"panel/{name}"), parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def clock() -> Clock:
    """Return the market's clock. Raises ``django.db.DatabaseError``, as every function here."""
    ((now, speed),) = _rows("clock")
    return Clock(now.astimezone(UTC), float(speed))


def extent(symbol: str, timeframe: str) -> tuple[datetime, datetime] | None:
    """Return the starts of the oldest and the newest bar in either table; None where there is none."""
    ((oldest, newest),) = _rows("extent", {"symbol": symbol, "timeframe": timeframe})
    return None if newest is None else (oldest.astimezone(UTC), newest.astimezone(UTC))


def bars(symbol: str, timeframe: str, *, start: datetime, stop: datetime, limit: int) -> list[Held]:
    """Return the bars of [start, stop) in order; of more than ``limit`` the newest."""
    parameters = {"symbol": symbol, "timeframe": timeframe, "start": start, "stop": stop, "limit": limit}
    return [
        Held(
            at=row[0].astimezone(UTC),
            direct=Bar(*row[3:10]) if row[1] else None,
            derived=Bar(*row[10:17]) if row[2] else None,
        )
        for row in reversed(_rows("bars", parameters))
    ]


def series() -> list[Series]:
    """Return every series of both tables with its newest bar and its number of bars."""
    sizes = {name.removeprefix("public."): size for name, size in _rows("sizes")}
    counts: dict[tuple[str, str, str], int] = {}
    percents = {table: min(COUNTED_WHOLE, 100 * READ_BYTES / max(sizes[table], 1)) for table in TABLES}
    for table, percent in percents.items():
        for symbol, timeframe, found in _rows(f"count_{table}", {"percent": percent}):
            counts[symbol, timeframe, table] = round(found * 100 / percent)
    return [
        Series(
            symbol=symbol,
            timeframe=timeframe,
            table=table,
            newest=moment.astimezone(UTC),
            count=counts.get((symbol, timeframe, table), 0),
            exact=percents[table] == COUNTED_WHOLE,
        )
        for symbol, timeframe, table, moment in _rows("series", {"timeframes": list(STEPS)})
    ]


def registry() -> list[Asset]:
    """Return the registry's symbols."""
    found = []
    for symbol, asset_class, ticker, active, text in _rows("registry"):
        metadata = json.loads(text) if text else None  # Django leaves jsonb of a cursor as it came
        kept = metadata if isinstance(metadata, dict) else None
        found.append(Asset(symbol, asset_class, ticker, active, kept))
    return found
