-- what:  the 1m bars that readers of the legacy state get: active derived rows and data_bars, one after the other.
-- why:   proves what a reader sees; a minute that both tables hold comes twice.
SELECT ts_utc, open, high, low, close
  FROM public.derived_data_bars
 WHERE canonical_symbol = %(symbol)s AND timeframe = '1m' AND deleted_at IS NULL
   AND ts_utc >= coalesce(%(start)s::timestamptz, '-infinity') AND ts_utc < coalesce(%(stop)s::timestamptz, 'infinity')
UNION ALL
SELECT ts_utc, open, high, low, close
  FROM public.data_bars
 WHERE canonical_symbol = %(symbol)s AND timeframe = '1m'
   AND ts_utc >= coalesce(%(start)s::timestamptz, '-infinity') AND ts_utc < coalesce(%(stop)s::timestamptz, 'infinity')
 ORDER BY ts_utc
