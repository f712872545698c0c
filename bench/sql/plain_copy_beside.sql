-- what: the whole move in one statement, which leaves rows alone that are there already.
-- why: the baseline while an application writes both tables: without the last clause it would fail at the first new key.
-- locks: ROW EXCLUSIVE on data_bars, and every row that it inserts until its end.
-- timeout: none: nobody else is there.
-- undo: empty_target.sql
INSERT INTO public.data_bars (
    canonical_symbol, provider_ticker, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count,
    is_partial, source, ingested_at, raw
)
SELECT canonical_symbol, NULL, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count,
       is_partial, 'synthetic', ingested_at,
       jsonb_build_object(
           'source', source, 'source_timeframe', source_timeframe, 'source_candles', source_candles,
           'expected_candles', expected_candles, 'quality_score', quality_score,
           'derivation_version', derivation_version, 'raw', raw, 'created_at', created_at, 'kind', 'dxy'
       )
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
 ORDER BY ts_utc, canonical_symbol, timeframe
ON CONFLICT (canonical_symbol, timeframe, ts_utc) DO NOTHING
