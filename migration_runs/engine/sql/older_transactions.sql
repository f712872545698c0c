-- what: transactions of this database that are older than a given one: they may still write by what they saw before it.
-- why: by xid, and by snapshot as well: a REPEATABLE READ reader without an xid can still write. Prepared ones count.
-- locks: none
-- timeout: the session's
-- undo: none: it reads
SELECT a.pid, a.usename::text AS usename, a.application_name, a.backend_start::text AS backend_start,
       a.xact_start::text AS xact_start, a.xact_start AS since, a.state, NULL::text AS gid
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
   AND greatest(age(a.backend_xid), age(a.backend_xmin)) > age(%(xid)s::xid8::xid)
 UNION ALL
SELECT NULL, p.owner::text, 'prepared transaction', NULL, p.prepared::text, p.prepared, 'prepared', p.gid
  FROM pg_catalog.pg_prepared_xacts p
 WHERE p.database = current_database()
   AND age(p.transaction) > age(%(xid)s::xid8::xid)
 ORDER BY since
