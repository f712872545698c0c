"""The bars system's arithmetic in polars: CSV in, CSV out."""

from __future__ import annotations

import io
from collections.abc import Mapping

import polars as pl

BAR = ("open", "high", "low", "close")


def derived(closes: io.BytesIO, exponents: Mapping[str, float], constant: float, raw: str, now: str) -> bytes:
    """DXY of every minute that has all pairs, as rows of ``data_bars``; ``closes``: symbol, minute, close.

    Minutes stay the server's text: nothing computes with them.
    """
    frame = pl.read_csv(
        closes,
        has_header=False,
        new_columns=["symbol", "ts", "close"],
        schema_overrides=[pl.String, pl.String, pl.Float64],
    )
    price = pl.lit(constant)
    wide: pl.DataFrame | None = None
    for symbol, exponent in exponents.items():
        one = frame.filter(pl.col("symbol") == symbol).select("ts", pl.col("close").alias(symbol))
        wide = one if wide is None else wide.join(one, on="ts")
        price *= pl.col(symbol).pow(exponent)
    assert wide is not None
    made = wide.select("ts", price.alias("price")).sort("ts")
    made = made.select(
        pl.lit("DXY").alias("symbol"),
        pl.lit("1m").alias("timeframe"),
        "ts",
        *(pl.col("price").alias(name) for name in BAR),
        pl.lit("f").alias("is_partial"),
        pl.lit("synthetic").alias("source"),
        pl.lit(now).alias("ingested_at"),
        pl.lit(raw).alias("raw"),
    )
    return str(made.write_csv(include_header=False)).encode()


def aggregated(minutes: io.BytesIO, now: str) -> bytes:
    """5m bars of 1m bars and 1h bars of those, as rows of ``derived_data_bars``, where enough is there."""
    bars = pl.read_csv(
        minutes,
        has_header=False,
        new_columns=["ts", *BAR, "vol", "vwap", "trade_count"],
        schema_overrides=[pl.String, *[pl.Float64] * 6, pl.Int64],
    ).with_columns(pl.col("ts").str.to_datetime("%Y-%m-%d %H:%M:%S%#z", time_unit="us"))
    five = _longer(bars, "5m", expected=5).filter(pl.col("n") >= 3)
    hour = _longer(five, "1h", expected=12).filter(pl.col("n") >= 7)
    n = pl.col("n")
    five = five.with_columns(
        quality=pl.when(n >= 5).then(2).when(n == 4).then(1).otherwise(0), source_timeframe=pl.lit("1m")
    )
    hour = hour.with_columns(
        quality=pl.when(n >= 12).then(2).when(n >= 10).then(1).when(n >= 8).then(0).otherwise(-1),
        source_timeframe=pl.lit("5m"),
    )
    made = pl.concat([five, hour]).select(
        pl.lit("EURUSD").alias("symbol"),
        "timeframe",
        pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S+00"),
        *BAR,
        "vol",
        "vwap",
        "trade_count",
        n < pl.col("expected"),
        pl.lit("agg").alias("source"),
        pl.lit(now).alias("ingested_at"),
        "source_timeframe",
        n.alias("source_candles"),
        pl.col("expected").alias("expected_candles"),
        "quality",
        pl.lit(1).alias("derivation_version"),
    )
    return str(made.write_csv(include_header=False)).encode()


def _longer(bars: pl.DataFrame, timeframe: str, *, expected: int) -> pl.DataFrame:
    weighted = (pl.col("vwap") * pl.col("vol")).sum()
    return bars.group_by_dynamic("ts", every=timeframe).agg(
        pl.lit(timeframe).alias("timeframe"),
        pl.len().alias("n"),
        pl.lit(expected).alias("expected"),
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        (weighted / pl.col("vol").filter(pl.col("vwap").is_not_null()).sum()).alias("vwap"),
        pl.col("vol").sum(),
        pl.col("trade_count").sum(),
    )
