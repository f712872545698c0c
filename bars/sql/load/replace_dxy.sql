-- what:  gives some DXY 1m bars of [start_minute, stop_minute) a past: a soft-deleted row of version 1 with a slightly
--        wrong value beside the active one, which becomes version 2.
-- why:   the real table holds such pairs; copying both, or the wrong one, is an error to be caught.
-- undo:  none: a loaded database is dropped as a whole.
WITH replaced AS (
    UPDATE public.derived_data_bars AS bar
       SET derivation_version = 2, ingested_at = bar.ts_utc + interval '1 hour'
      FROM (SELECT to_timestamp(minute * 60) AS ts_utc
              FROM generate_series(%(start_minute)s::bigint, %(stop_minute)s::bigint - 1) AS minute
             WHERE pg_temp.dxy_fate(%(seed)s::bigint, minute) = 'replaced') AS fate
     WHERE bar.canonical_symbol = 'DXY' AND bar.timeframe = '1m' AND bar.ts_utc = fate.ts_utc
       AND bar.deleted_at IS NULL
    RETURNING bar.*
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
