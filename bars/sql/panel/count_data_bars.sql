-- what:  bars of each symbol and timeframe in a part of the pages of data_bars.
-- why:   counting millions of rows for a page would take seconds; the same part is read each time (REPEATABLE), so
--        that the figures move with the table and not by chance.
SELECT canonical_symbol, timeframe, count(*)
  FROM public.data_bars TABLESAMPLE SYSTEM (%(percent)s) REPEATABLE (1)
 GROUP BY canonical_symbol, timeframe
