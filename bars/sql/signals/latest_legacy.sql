-- what:  the newest bars of a symbol, from whichever table has them.
-- why:   the legacy engine does not know where a symbol lives; one that is in both tables comes twice.
SELECT ts_utc, open, high, low, close
  FROM (SELECT ts_utc, open, high, low, close FROM public.data_bars
         WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s
        UNION ALL
        SELECT ts_utc, open, high, low, close FROM public.derived_data_bars
         WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s AND deleted_at IS NULL) AS bar
 ORDER BY ts_utc DESC
 LIMIT %(limit)s
