-- what: backups of this database that are being taken now, the longest first: sessions that call themselves pg_dump, and
--       sessions that copy out one of the plan's tables under a snapshot.
-- why: a definition that changes under a dump makes it fail or lie, and the dump's locks make the change queue, with every
--       reader behind it. Who dumps under another name is known by what it does.
-- locks: none
-- timeout: the session's.
-- undo: none: it reads.
SELECT a.pid,
       a.usename::text AS usename,
       coalesce(nullif(a.application_name, ''), 'unnamed') AS application_name,
       round(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start)))::int AS seconds
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.datname = pg_catalog.current_database()
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND NOT (starts_with(a.application_name, %(ours)s) AND a.usename = current_user)
   AND (a.application_name IN ('pg_dump', 'pg_dumpall')
        OR (a.backend_xmin IS NOT NULL
            AND a.query ~* '^\s*COPY\s.*\sTO\s+stdout'
            AND EXISTS (SELECT
                          FROM pg_catalog.pg_locks AS l
                         WHERE l.pid = a.pid AND l.granted AND l.mode = 'AccessShareLock' AND l.locktype = 'relation'
                           AND l.relation IN (SELECT pg_catalog.to_regclass(name)::oid
                                                FROM unnest(%(tables)s::text[]) AS wanted(name)))))
 ORDER BY seconds DESC
 LIMIT 3
