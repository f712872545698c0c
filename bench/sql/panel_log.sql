-- what: log lines of a run, many.
-- why: a log as long as a run of weeks leaves it, without waiting for weeks.
-- locks: ROW EXCLUSIVE on the log.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
INSERT INTO public.migration_runs_logline (run_id, phase, step, at, level, text)
SELECT %(run)s::bigint, 4, 'copy', now() + n * interval '1 second', 'info', 'chunk ' || n || ': 20000 rows in 300 ms'
  FROM generate_series(1, %(lines)s::bigint) AS n
