"""The six currency pairs behind the US dollar index, and the index formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

DXY_CONSTANT = 50.14348112
"""Scale of the index: it makes DXY 100 in March 1973 (ICE, U.S. Dollar Index contract specification)."""


@dataclass(frozen=True)
class Pair:
    """One currency pair: its symbol, the provider's ticker, decimals quoted, and its exponent in DXY."""

    symbol: str
    ticker: str
    decimals: int
    exponent: float

    @property
    def scale(self) -> float:
        """Steps of the quote in one unit of price."""
        return float(10**self.decimals)


PAIRS: tuple[Pair, ...] = (
    Pair(symbol="EURUSD", ticker="C:EURUSD", decimals=5, exponent=-0.576),
    Pair(symbol="USDJPY", ticker="C:USDJPY", decimals=3, exponent=0.136),
    Pair(symbol="GBPUSD", ticker="C:GBPUSD", decimals=5, exponent=-0.119),
    Pair(symbol="USDCAD", ticker="C:USDCAD", decimals=5, exponent=0.091),
    Pair(symbol="USDSEK", ticker="C:USDSEK", decimals=5, exponent=0.042),
    Pair(symbol="USDCHF", ticker="C:USDCHF", decimals=5, exponent=0.036),
)
"""In the order of the formula, which is also the order of multiplication in the SQL functions."""

SYMBOLS: tuple[str, ...] = (*(pair.symbol for pair in PAIRS), "DXY")
"""Every symbol that the bars system knows."""


def dollar_index(closes: Mapping[str, float]) -> float | None:
    """Return DXY for the six closes by symbol, or None where one is missing, not positive, or not finite.

    DXY = 50.14348112 x EURUSD^-0.576 x USDJPY^0.136 x GBPUSD^-0.119 x USDCAD^0.091 x USDSEK^0.042 x
    USDCHF^0.036.
    """
    index = DXY_CONSTANT
    for pair in PAIRS:
        close = closes.get(pair.symbol)
        if close is None or not 0 < close < math.inf:
            return None
        index *= math.pow(close, pair.exponent)
    return index
