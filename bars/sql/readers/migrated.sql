-- what:  the 1m bars that readers of the migrated state get: data_bars alone.
-- why:   proves what a reader sees after the code switch.
SELECT ts_utc, open, high, low, close
  FROM public.data_bars
 WHERE canonical_symbol = %(symbol)s AND timeframe = '1m'
   AND ts_utc >= coalesce(%(start)s::timestamptz, '-infinity') AND ts_utc < coalesce(%(stop)s::timestamptz, 'infinity')
 ORDER BY ts_utc
