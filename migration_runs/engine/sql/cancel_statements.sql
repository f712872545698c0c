-- what: cancels the running statements of one run's own sessions, or of one worker of it
-- why: a person asked to pause now, or a worker has lost its lease
-- locks: none
-- timeout: statement 5 s
-- undo: none: the cancelled transaction is rolled back and the step is done again
SELECT count(*) FILTER (WHERE pg_catalog.pg_cancel_backend(pid))
  FROM pg_catalog.pg_stat_activity
 WHERE starts_with(application_name, %(prefix)s)
   AND (%(session)s::text IS NULL OR application_name = %(session)s::text)
   AND usename = current_user
   AND datname = current_database()
   AND pid <> pg_catalog.pg_backend_pid()
