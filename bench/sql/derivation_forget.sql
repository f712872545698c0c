-- what: every bar of DXY goes.
-- why: each measurement begins with the same table; VACUUM gives the end of it back.
-- locks: ROW EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: none: it is derived again.
DELETE FROM public.data_bars WHERE canonical_symbol = 'DXY'
