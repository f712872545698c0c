-- what: the same bar in the target, as the move would have it there.
-- why: what an application does that writes both tables by itself.
-- locks: ROW EXCLUSIVE on data_bars, one row; it waits for whoever inserted the same key and has not committed.
-- timeout: none: how long it waits is what is measured.
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
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL AND ts_utc = %(at)s::timestamptz
ON CONFLICT (canonical_symbol, timeframe, ts_utc)
DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, vol = excluded.vol,
              vwap = excluded.vwap, trade_count = excluded.trade_count, is_partial = excluded.is_partial,
              source = excluded.source, ingested_at = excluded.ingested_at, raw = excluded.raw
