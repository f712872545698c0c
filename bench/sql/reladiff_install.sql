-- what: the two sides as reladiff can read them: a view each with the move's mapping, and the minute as a whole number, which
--   an index of each table has.
-- why: reladiff takes no time as a key; without the indexes it would read a whole table for each of its segments.
-- locks: SHARE on both tables.
-- timeout: none: nobody else is there.
-- undo: reladiff_remove.sql
CREATE VIEW public.wanted_bars AS
SELECT (extract(epoch FROM ts_utc AT TIME ZONE 'UTC') / 60)::bigint AS minute, NULL::text AS provider_ticker, ts_utc, open, high,
       low, close, vol, vwap, trade_count, is_partial, 'synthetic'::text AS source, ingested_at,
       jsonb_build_object(
           'source', source, 'source_timeframe', source_timeframe, 'source_candles', source_candles,
           'expected_candles', expected_candles, 'quality_score', quality_score,
           'derivation_version', derivation_version, 'raw', raw, 'created_at', created_at, 'kind', 'dxy'
       )::text AS raw
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL;

CREATE VIEW public.found_bars AS
SELECT (extract(epoch FROM ts_utc AT TIME ZONE 'UTC') / 60)::bigint AS minute, provider_ticker, ts_utc, open, high,
       low, close, vol, vwap, trade_count, is_partial, source, ingested_at, raw::text AS raw
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m';

CREATE INDEX derived_data_bars_minute
    ON public.derived_data_bars (((extract(epoch FROM ts_utc AT TIME ZONE 'UTC') / 60)::bigint))
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL;

CREATE INDEX data_bars_minute
    ON public.data_bars (((extract(epoch FROM ts_utc AT TIME ZONE 'UTC') / 60)::bigint))
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
