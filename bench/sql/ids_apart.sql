-- what: the next row of data_bars gets a number far above all others.
-- why: rows that are carried into another table by a dump bring their numbers along.
-- locks: ACCESS EXCLUSIVE on the sequence.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
ALTER TABLE public.data_bars ALTER COLUMN id RESTART WITH 1000000000000
