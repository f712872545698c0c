-- what: how many events the trail has, and how many rows the table without chain.
-- why: writers that write less are not compared.
-- locks: ACCESS SHARE on both.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
SELECT (SELECT count(*) FROM public.migration_runs_auditevent), (SELECT count(*) FROM public.bare_event)
