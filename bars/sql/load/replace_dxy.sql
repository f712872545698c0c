-- what:  gives some DXY 1m bars of [start_minute, stop_minute) a past: a soft-deleted row of version 1 with a slightly
--        wrong value beside the active one, which becomes version 2.
-- why:   the real table holds such pairs; copying both, or the wrong one, is an error to be caught.
-- undo:  none: a loaded database is dropped as a whole.
WITH replaced AS (
    UPDATE public.derived_data_bars
       SET derivation_version = 2, ingested_at = ts_utc + interval '1 hour'
     WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
       AND ts_utc >= to_timestamp(%(start_minute)s::bigint * 60) AND ts_utc < to_timestamp(%(stop_minute)s::bigint * 60)
       AND pg_temp.dxy_fate(%(seed)s::bigint, extract(epoch FROM ts_utc)::bigint / 60) = 'replaced'
    RETURNING *
)
INSERT INTO public.derived_data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, source, ingested_at, source_timeframe,
    source_candles, expected_candles, quality_score, derivation_version, raw, deleted_at
)
SELECT canonical_symbol, timeframe, ts_utc, open + 0.0007, high + 0.0007, low + 0.0007, close + 0.0007, source,
       ts_utc + interval '64 seconds', source_timeframe, source_candles, expected_candles, quality_score, 1, raw,
       ts_utc + interval '1 hour'
  FROM replaced
 ORDER BY ts_utc
