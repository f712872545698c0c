-- what:  soft-deletes the DXY 1m bars of [start_minute, stop_minute) that were withdrawn in the past.
-- why:   the real table holds such rows, with no active row for their minute; a migration that copies them as live is wrong.
-- undo:  none: a loaded database is dropped as a whole.
UPDATE public.derived_data_bars AS bar
   SET deleted_at = bar.ts_utc + interval '1 hour'
  FROM (SELECT to_timestamp(minute * 60) AS ts_utc
          FROM generate_series(%(start_minute)s::bigint, %(stop_minute)s::bigint - 1) AS minute
         WHERE pg_temp.dxy_fate(%(seed)s::bigint, minute) = 'withdrawn') AS withdrawn
 WHERE bar.canonical_symbol = 'DXY' AND bar.timeframe = '1m' AND bar.ts_utc = withdrawn.ts_utc
   AND bar.deleted_at IS NULL
