-- what:  the 1m bars that duplicate-safe readers get while both tables are filled.
-- why:   DXY bars in data_bars are copies while a migration is under way, and after a rollback that keeps them; the derived
--        row is the original. A copy never counts: the original of one that is left may have been withdrawn since.
SELECT ts_utc, open, high, low, close
  FROM public.derived_data_bars
 WHERE canonical_symbol = %(symbol)s AND timeframe = '1m' AND deleted_at IS NULL
   AND ts_utc >= coalesce(%(start)s::timestamptz, '-infinity') AND ts_utc < coalesce(%(stop)s::timestamptz, 'infinity')
UNION ALL
SELECT ts_utc, open, high, low, close
  FROM public.data_bars
 WHERE canonical_symbol = %(symbol)s AND timeframe = '1m'
   AND ts_utc >= coalesce(%(start)s::timestamptz, '-infinity') AND ts_utc < coalesce(%(stop)s::timestamptz, 'infinity')
   AND %(symbol)s <> 'DXY'
 ORDER BY ts_utc
