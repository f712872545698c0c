"""The invented market: calendar, daily anchors, and the minutes of the six pairs as a function of a seed.

Nothing is remembered between minutes: a bar depends on (seed, pair, minute) and on the reference rates of its
day alone, so that the loader and the feed agree, and a minute that is written twice comes out the same.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from currency_converter import CurrencyConverter, RateNotFoundError

from bars import sql_files
from bars.pairs import PAIRS

MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_OPEN_MINUTE = 5640  # Sunday 1970-01-04 22:00 UTC
_MINUTES_PER_WEEK = 7 * 24 * 60
_OPEN_MINUTES_PER_WEEK = 5 * 24 * 60
_FIXING_MINUTE = 14 * 60  # the reference rates are set at 14:15 CET; we anchor them at 14:00 UTC


def minute_number(moment: datetime) -> int:
    """Return the minute that ``moment`` lies in, counted from 1970-01-01 00:00 UTC."""
    return int((moment - _EPOCH) // MINUTE)


def minute_start(number: int) -> datetime:
    """Return the start of a minute counted from 1970-01-01 00:00 UTC."""
    return _EPOCH + number * MINUTE


def is_open(moment: datetime) -> bool:
    """Tell whether FX trades at ``moment``: Sunday 22:00 to Friday 22:00 UTC."""
    return (minute_number(moment) - _FIRST_OPEN_MINUTE) % _MINUTES_PER_WEEK < _OPEN_MINUTES_PER_WEEK


def opened_at(moment: datetime) -> datetime:
    """Return the newest opening of the market that is not after ``moment``."""
    weeks = (minute_number(moment) - _FIRST_OPEN_MINUTE) // _MINUTES_PER_WEEK
    return minute_start(_FIRST_OPEN_MINUTE + weeks * _MINUTES_PER_WEEK)


def next_opening(moment: datetime) -> datetime:
    """Return the first opening of the market after ``moment``."""
    return opened_at(moment) + _MINUTES_PER_WEEK * MINUTE


def last_closing(moment: datetime) -> datetime:
    """Return the newest time that is not after ``moment`` at which the market closed."""
    closing = opened_at(moment) + _OPEN_MINUTES_PER_WEEK * MINUTE
    return closing if closing <= moment else closing - _MINUTES_PER_WEEK * MINUTE


def last_monday_morning(moment: datetime) -> datetime:
    """Return the newest Monday 08:00 UTC that is not after ``moment``."""
    monday = moment.astimezone(UTC).date() - timedelta(days=moment.astimezone(UTC).weekday())
    morning = datetime(monday.year, monday.month, monday.day, 8, tzinfo=UTC)
    return morning if morning <= moment else morning - timedelta(days=7)


@functools.cache
def _reference_rates() -> CurrencyConverter:
    return CurrencyConverter()


@functools.lru_cache(maxsize=65536)
def _euro_rate(currency: str, day: date) -> float:
    """Return how much of ``currency`` one euro bought on ``day``; a day without a rate has its predecessor's.

    Source: European Central Bank, euro foreign exchange reference rates, as shipped by CurrencyConverter.
    """
    rates = _reference_rates()
    bounds = rates.bounds["USD"]
    day = min(max(day, bounds.first_date), bounds.last_date)
    while True:
        try:
            return float(rates.convert(1, "EUR", currency, date=day))
        except RateNotFoundError:
            day -= timedelta(days=1)


def reference_level(symbol: str, day: date) -> float:
    """Return the level of a pair on ``day``, from two reference rates against the euro."""
    base, quote = symbol[:3], symbol[3:]
    base_rate = 1.0 if base == "EUR" else _euro_rate(base, day)
    return _euro_rate(quote, day) / base_rate


def pair_parameters() -> dict[str, Any]:
    """Return the parameters that describe the pairs to the SQL under ``bars/sql/market``."""
    return {
        "symbols": [pair.symbol for pair in PAIRS],
        "tickers": [pair.ticker for pair in PAIRS],
        "scales": [pair.scale for pair in PAIRS],
    }


def range_parameters(*, seed: int, start_minute: int, stop_minute: int) -> dict[str, Any]:
    """Return the parameters of ``bars/sql/market`` for the minutes [start, stop), the daily anchors included.

    One day more is taken at the front: bars that come late belong to minutes before the range.
    """
    day_minutes = 24 * 60
    first = (start_minute - _FIXING_MINUTE) // day_minutes - 1
    last = (stop_minute - _FIXING_MINUTE) // day_minutes
    days = range(first, last + 1)
    symbols, numbers, levels, next_levels = [], [], [], []
    for pair in PAIRS:
        for number in days:
            day = _EPOCH.date() + timedelta(days=number)
            symbols.append(pair.symbol)
            numbers.append(number)
            levels.append(reference_level(pair.symbol, day))
            next_levels.append(reference_level(pair.symbol, day + timedelta(days=1)))
    return {
        "seed": seed,
        "start_minute": start_minute,
        "stop_minute": stop_minute,
        "anchor_symbols": symbols,
        "anchor_days": numbers,
        "anchor_levels": levels,
        "anchor_next_levels": next_levels,
    }


def prepare_session(conn: psycopg.Connection[Any]) -> None:
    """Create the market's session-local functions on ``conn``; they end with the connection."""
    conn.execute(sql_files.read("market/session_functions"))


def append_pairs(conn: psycopg.Connection[Any], *, seed: int, start_minute: int, stop_minute: int) -> int:
    """Insert the pairs' bars of [start, stop) that are not there yet; return how many."""
    parameters = pair_parameters() | range_parameters(
        seed=seed, start_minute=start_minute, stop_minute=stop_minute
    )
    return conn.execute(sql_files.read("market/append_pairs"), parameters).rowcount


def append_late_pairs(
    conn: psycopg.Connection[Any], *, seed: int, start_minute: int, stop_minute: int
) -> int:
    """Write what the provider sends late during [start, stop); return how many bars changed or arrived."""
    parameters = pair_parameters() | range_parameters(
        seed=seed, start_minute=start_minute, stop_minute=stop_minute
    )
    return conn.execute(sql_files.read("market/append_late_pairs"), parameters).rowcount


def late_minutes(
    conn: psycopg.Connection[Any], *, seed: int, start_minute: int, stop_minute: int
) -> list[int]:
    """Return the older minutes whose pairs changed during [start, stop), in order."""
    parameters: Mapping[str, int] = {"seed": seed, "start_minute": start_minute, "stop_minute": stop_minute}
    return [row[0] for row in conn.execute(sql_files.read("market/late_minutes"), parameters)]
