-- what:  how many rows a load made: data_bars, active DXY 1m, soft-deleted DXY 1m, active 5m, active 1h.
-- why:   shown to whoever loaded, and compared with what was asked for.
SELECT (SELECT count(*) FROM public.data_bars),
       count(*) FILTER (WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL),
       count(*) FILTER (WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NOT NULL),
       count(*) FILTER (WHERE timeframe = '5m' AND deleted_at IS NULL),
       count(*) FILTER (WHERE timeframe = '1h' AND deleted_at IS NULL)
  FROM public.derived_data_bars
