"""The bars system's arithmetic in pandas: CSV in, CSV out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd


def derived(closes: io.BytesIO, exponents: Mapping[str, float], constant: float, raw: str, now: str) -> bytes:
    """DXY of every minute that has all pairs, as rows of ``data_bars``; ``closes``: symbol, minute, close."""
    frame = pd.read_csv(closes, header=None, names=["symbol", "ts", "close"])
    wide = frame.pivot(index="ts", columns="symbol", values="close").dropna()
    price: Any = constant
    for symbol, exponent in exponents.items():
        price *= wide[symbol] ** exponent
    made = pd.DataFrame({"symbol": "DXY", "timeframe": "1m", "ts": wide.index, "open": price.to_numpy()})
    for name in ("high", "low", "close"):
        made[name] = made["open"]
    made = made.assign(is_partial="f", source="synthetic", ingested_at=now, raw=raw)
    return str(made.to_csv(header=False, index=False)).encode()
