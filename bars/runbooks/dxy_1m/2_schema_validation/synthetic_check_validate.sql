-- what: validate the CHECK against every row.
-- why: reads and writes go on meanwhile, which is why it is a step of its own.
-- locks: SHARE UPDATE EXCLUSIVE on data_bars, while the rows are read.
-- timeout: lock 200 ms, statement 60 s
-- undo: none needed, the CHECK is dropped by the step that added it.
ALTER TABLE public.data_bars VALIDATE CONSTRAINT data_bars_synthetic_complete;
