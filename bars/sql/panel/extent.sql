-- what:  the oldest and the newest bar of a symbol and timeframe over both tables.
-- why:   a chart of the last bars ends with the newest; before the oldest nothing is missing. Each is the end of an index.
SELECT min(held.oldest), max(held.newest)
  FROM (SELECT min(ts_utc) AS oldest, max(ts_utc) AS newest
          FROM public.data_bars
         WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s
        UNION ALL
        SELECT min(ts_utc), max(ts_utc)
          FROM public.derived_data_bars
         WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s AND deleted_at IS NULL) AS held
