-- what: sessions of this database, other than our own, whose application_name is like one of the patterns
-- why: callers of the old code must be gone, and a person wants to know which ones are not
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT application_name, usename::text AS usename, pid, backend_start
  FROM pg_catalog.pg_stat_activity
 WHERE datname = current_database()
   AND pid <> pg_catalog.pg_backend_pid()
   AND application_name LIKE ANY (%(patterns)s::text[])
 ORDER BY application_name, pid
