-- what:  the newest 1m bars of a symbol.
-- why:   after the migration every 1m bar lives in data_bars.
SELECT ts_utc, open, high, low, close
  FROM public.data_bars
 WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s
 ORDER BY ts_utc DESC
 LIMIT %(limit)s
