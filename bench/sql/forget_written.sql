-- what: source rows after the end of history go: those that a benchmark wrote.
-- why: each measurement begins with the same tables.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: none: they were invented.
DELETE FROM public.derived_data_bars WHERE ts_utc >= %(history_end)s
