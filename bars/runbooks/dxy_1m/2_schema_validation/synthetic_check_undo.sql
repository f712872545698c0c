-- what: drop the CHECK that a synthetic bar is complete.
-- why: it was added by this run.
-- locks: ACCESS EXCLUSIVE on data_bars, for the moment of the change.
-- timeout: lock 200 ms, statement 5 s
-- undo: synthetic_check_repair.sql adds it again.
ALTER TABLE public.data_bars DROP CONSTRAINT IF EXISTS data_bars_synthetic_complete;
