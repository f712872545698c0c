-- what: sessions that hold locks on the plan's tables in transactions that are still open, the oldest first
-- why: a lock that was not free in time has an owner, and the person who waits wants to know whom to ask
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT a.pid,
       a.usename::text AS usename,
       coalesce(nullif(a.application_name, ''), 'unnamed') AS application_name,
       round(extract(epoch FROM clock_timestamp() - a.xact_start))::int AS seconds,
       string_agg(DISTINCT l.relation::regclass::text, ', ') AS tables
  FROM pg_catalog.pg_locks AS l
  JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'relation'
   AND l.granted
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND l.relation IN (SELECT pg_catalog.to_regclass(name)::oid FROM unnest(%(tables)s::text[]) AS wanted(name))
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.xact_start IS NOT NULL
 GROUP BY a.pid, a.usename, a.application_name, a.xact_start
 ORDER BY a.xact_start
 LIMIT 5
