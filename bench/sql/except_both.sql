-- what: how many rows of either side have no equal on the other, by EXCEPT in both directions.
-- why: the comparison of whole rows that one would write by hand.
-- locks: ACCESS SHARE on both tables.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
  WITH wanted AS NOT MATERIALIZED (
        SELECT canonical_symbol, NULL::text AS provider_ticker, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count,
               is_partial, 'synthetic'::text AS source, ingested_at,
               jsonb_build_object(
                   'source', source, 'source_timeframe', source_timeframe, 'source_candles', source_candles,
                   'expected_candles', expected_candles, 'quality_score', quality_score,
                   'derivation_version', derivation_version, 'raw', raw, 'created_at', created_at, 'kind', 'dxy'
               ) AS raw
          FROM public.derived_data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL),
       found AS NOT MATERIALIZED (
        SELECT canonical_symbol, provider_ticker, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count,
               is_partial, source, ingested_at, raw
          FROM public.data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m')
SELECT (SELECT count(*) FROM (SELECT * FROM wanted EXCEPT ALL SELECT * FROM found) AS lacking),
       (SELECT count(*) FROM (SELECT * FROM found EXCEPT ALL SELECT * FROM wanted) AS surplus)
