-- what: longer bars that were made elsewhere, in.
-- why: the other half of computing elsewhere.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: aggregation_forget.sql
COPY public.derived_data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count, is_partial, source, ingested_at,
    source_timeframe, source_candles, expected_candles, quality_score, derivation_version
) FROM STDIN (FORMAT csv)
