-- what: keeps the longer bars that are there, as those that have to come out.
-- why: ways that come to other bars, or to fewer, are not compared.
-- locks: ACCESS SHARE on derived_data_bars; the table is new.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
CREATE TABLE public.reference AS SELECT * FROM public.derived_data_bars
