-- what: rows of the move on both sides.
-- why: what a hurried person would check; blind to wrong values, and so the bound of what a comparison can cost.
-- locks: ACCESS SHARE on both tables.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
SELECT (SELECT count(*) FROM public.derived_data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL),
       (SELECT count(*) FROM public.data_bars WHERE canonical_symbol = 'DXY' AND timeframe = '1m')
