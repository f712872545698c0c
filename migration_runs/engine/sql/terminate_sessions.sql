-- what: ends one run's own sessions, or those of one worker of it
-- why: a worker that died or froze may hold locks that its successor needs
-- locks: none
-- timeout: statement 5 s
-- undo: none: open transactions are rolled back and the step is done again
SELECT count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(pid))
  FROM pg_catalog.pg_stat_activity
 WHERE starts_with(application_name, %(prefix)s)
   AND (%(session)s::text IS NULL OR application_name = %(session)s::text)
   AND usename = current_user
   AND datname = current_database()
   AND pid <> pg_catalog.pg_backend_pid()
