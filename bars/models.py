"""Read-only models of the bars tables on a target, which Django never manages."""

# ruff: noqa: ARG002 - the signatures are Django's

from __future__ import annotations

from typing import Any

from django.db import models


class ReadOnlyModel(models.Model):
    """A row that the panel shows and never writes. ``save`` and ``delete`` raise ``TypeError``."""

    class Meta:
        """Abstract: each table has its own model."""

        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: bars are written by the feed, the aggregator and a run's own steps."""
        raise TypeError(f"{type(self).__name__} rows are read-only here")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse, for the same reason."""
        raise TypeError(f"{type(self).__name__} rows are read-only here")


class RegistryAsset(ReadOnlyModel):
    """One symbol that the bars system knows."""

    canonical_symbol = models.TextField(primary_key=True)
    asset_class = models.TextField()
    provider_ticker = models.TextField(null=True)  # noqa: DJ001 - the table says so
    active = models.BooleanField()
    test_active = models.BooleanField()

    class Meta:
        """Maps ``core_asset_registry_all``."""

        managed = False
        db_table = "core_asset_registry_all"
        verbose_name = "asset"

    def __str__(self) -> str:
        return self.canonical_symbol


class DataBar(ReadOnlyModel):
    """One ingested bar; ``ts_utc`` is the start of its interval."""

    id = models.BigIntegerField(primary_key=True)
    canonical_symbol = models.TextField("symbol")
    provider_ticker = models.TextField(null=True)  # noqa: DJ001 - the table says so
    timeframe = models.TextField()
    ts_utc = models.DateTimeField("start (UTC)")
    open = models.FloatField(null=True)
    high = models.FloatField(null=True)
    low = models.FloatField(null=True)
    close = models.FloatField(null=True)
    vol = models.FloatField(null=True)
    vwap = models.FloatField(null=True)
    trade_count = models.IntegerField(null=True)
    is_partial = models.BooleanField()
    source = models.TextField()
    ingested_at = models.DateTimeField()
    raw = models.JSONField()

    class Meta:
        """Maps ``data_bars``."""

        managed = False
        db_table = "data_bars"
        verbose_name = "bar"

    def __str__(self) -> str:
        return f"{self.canonical_symbol} {self.timeframe} {self.ts_utc:%Y-%m-%d %H:%M}"


class DerivedBar(ReadOnlyModel):
    """One derived bar; ``deleted_at`` says when it was withdrawn."""

    id = models.BigIntegerField(primary_key=True)
    canonical_symbol = models.TextField("symbol")
    timeframe = models.TextField()
    ts_utc = models.DateTimeField("start (UTC)")
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    vol = models.FloatField(null=True)
    vwap = models.FloatField(null=True)
    trade_count = models.IntegerField(null=True)
    is_partial = models.BooleanField()
    source = models.TextField()
    ingested_at = models.DateTimeField()
    source_timeframe = models.TextField(null=True)  # noqa: DJ001 - the table says so
    source_candles = models.IntegerField(null=True)
    expected_candles = models.IntegerField(null=True)
    quality_score = models.SmallIntegerField(null=True)
    derivation_version = models.IntegerField()
    raw = models.JSONField()
    deleted_at = models.DateTimeField("withdrawn at", null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        """Maps ``derived_data_bars``."""

        managed = False
        db_table = "derived_data_bars"
        verbose_name = "derived bar"

    def __str__(self) -> str:
        return f"{self.canonical_symbol} {self.timeframe} {self.ts_utc:%Y-%m-%d %H:%M}"


class AggregationTask(ReadOnlyModel):
    """One line of ``data_agg_state``: ``last_agg_bar_ts_utc`` is the start of the next window to make."""

    pk = models.CompositePrimaryKey("canonical_symbol", "timeframe")
    canonical_symbol = models.TextField("symbol")
    timeframe = models.TextField()
    source_timeframe = models.TextField()
    run_interval_minutes = models.IntegerField()
    aggregation_delay_seconds = models.IntegerField()
    last_agg_bar_ts_utc = models.DateTimeField("next window (UTC)", null=True)
    status = models.TextField()
    is_mandatory = models.BooleanField()
    hard_fail_streak = models.IntegerField()
    next_run_at = models.DateTimeField()
    last_successful_at = models.DateTimeField(null=True)
    last_error = models.TextField(null=True)  # noqa: DJ001 - the table says so

    class Meta:
        """Maps ``data_agg_state``."""

        managed = False
        db_table = "data_agg_state"
        verbose_name = "aggregation task"

    def __str__(self) -> str:
        return f"{self.canonical_symbol} {self.timeframe}"
