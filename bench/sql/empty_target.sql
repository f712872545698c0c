-- what: every row of the target goes.
-- why: each measurement begins with the same tables.
-- locks: ACCESS EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: fill_target.sql
TRUNCATE public.data_bars RESTART IDENTITY
