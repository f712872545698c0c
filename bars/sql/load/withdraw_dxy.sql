-- what:  soft-deletes the DXY 1m bars of [start_minute, stop_minute) that were withdrawn in the past.
-- why:   the real table holds such rows, with no active row for their minute; a migration that copies them as live is wrong.
-- undo:  none: a loaded database is dropped as a whole.
UPDATE public.derived_data_bars
   SET deleted_at = ts_utc + interval '1 hour'
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
   AND ts_utc >= to_timestamp(%(start_minute)s::bigint * 60) AND ts_utc < to_timestamp(%(stop_minute)s::bigint * 60)
   AND pg_temp.dxy_fate(%(seed)s::bigint, extract(epoch FROM ts_utc)::bigint / 60) = 'withdrawn'
