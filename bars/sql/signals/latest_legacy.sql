-- what:  the newest bars of a symbol, as the database's own function gives them.
-- why:   the legacy engine does not know where a symbol lives; signal_bars does, and its body follows a migration.
SELECT ts_utc, open, high, low, close
  FROM public.signal_bars(%(symbol)s, %(timeframe)s, %(limit)s)
 ORDER BY ts_utc DESC
