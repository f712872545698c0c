-- what:  active bars of each symbol and timeframe in a part of the pages of derived_data_bars.
-- why:   as for data_bars.
SELECT canonical_symbol, timeframe, count(*)
  FROM public.derived_data_bars TABLESAMPLE SYSTEM (%(percent)s) REPEATABLE (1)
 WHERE deleted_at IS NULL
 GROUP BY canonical_symbol, timeframe
