-- what:  the newest bars of 5m and longer of a symbol.
-- why:   before and after the migration those are derived.
SELECT ts_utc, open, high, low, close
  FROM public.derived_data_bars
 WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s AND deleted_at IS NULL
 ORDER BY ts_utc DESC
 LIMIT %(limit)s
