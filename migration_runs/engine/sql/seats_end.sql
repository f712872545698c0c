-- what: ends sessions of one run that hold a seat at its copy.
-- why: a worker that is frozen does not hear that it should stop, and the phase would never reach its pause.
-- locks: none
-- timeout: the session's.
-- undo: none: what the session had not committed is rolled back, and copied again after the pause.
SELECT count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(a.pid))
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.pid = ANY (%(pids)s::int[])
   AND starts_with(a.application_name, %(ours)s)
   AND a.usename = current_user
   AND a.datname = pg_catalog.current_database()
