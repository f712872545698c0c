"""The signal engine: reads a symbol's latest bars and says where the price is against their mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from bars import deployment, sql_files


@dataclass(frozen=True)
class Bar:
    """One bar as the signal engine sees it; ``ts`` is the start of its interval, UTC."""

    ts: datetime
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Signal:
    """The newest close of a symbol, its distance from the mean of the bars read (in percent), and how many
    those were.

    ``doubled`` counts minutes that came more than once: both tables held them.
    """

    symbol: str
    timeframe: str
    newest: datetime
    close: float
    from_mean_percent: float
    bars: int
    doubled: int


def latest_bars(
    conn: psycopg.Connection[Any], *, symbol: str, timeframe: str, limit: int, version: deployment.Version
) -> list[Bar]:
    """Return the newest bars, newest first.

    The legacy engine calls ``public.signal_bars``, whose body decides from where a bar comes: both tables
    before a migration, each minute once during it. The migrated one calls no function and reads 1m bars
    from ``data_bars`` and longer ones from ``derived_data_bars``, one table each.
    """
    if version == "legacy":
        statement = sql_files.read("signals/latest_legacy")
    elif timeframe == "1m":
        statement = sql_files.read("signals/latest_migrated_1m")
    else:
        statement = sql_files.read("signals/latest_migrated_derived")
    rows = conn.execute(statement, {"symbol": symbol, "timeframe": timeframe, "limit": limit})
    return [Bar(row[0].astimezone(UTC), *row[1:]) for row in rows]


def signal_for(
    conn: psycopg.Connection[Any],
    *,
    symbol: str,
    timeframe: str = "1m",
    limit: int = 60,
    version: deployment.Version,
) -> Signal | None:
    """Return the signal over the newest ``limit`` bars, or None where the symbol has no bar."""
    bars = latest_bars(conn, symbol=symbol, timeframe=timeframe, limit=limit, version=version)
    if not bars:
        return None
    mean = sum(bar.close for bar in bars) / len(bars)
    return Signal(
        symbol=symbol,
        timeframe=timeframe,
        newest=bars[0].ts,
        close=bars[0].close,
        from_mean_percent=100 * (bars[0].close / mean - 1),
        bars=len(bars),
        doubled=len(bars) - len({bar.ts for bar in bars}),
    )
