-- what: what reladiff_install.sql made goes.
-- why: the other figures are about the tables as they are.
-- locks: ACCESS EXCLUSIVE on both tables, for a moment.
-- timeout: none: nobody else is there.
-- undo: reladiff_install.sql
DROP VIEW public.wanted_bars, public.found_bars;
DROP INDEX public.derived_data_bars_minute, public.data_bars_minute
