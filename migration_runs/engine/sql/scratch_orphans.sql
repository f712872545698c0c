-- what: ends sessions of this role in this database in which a program restores an archive; how many there were
-- why: a killed worker's pg_restore goes on without it and would fill the database that its successor has emptied
-- locks: none
-- timeout: statement 5 s
-- undo: none: the successor empties the database and restores anew
SELECT count(pg_catalog.pg_terminate_backend(pid))
  FROM pg_catalog.pg_stat_activity
 WHERE datname = current_database()
   AND usename = current_user
   AND application_name LIKE 'phasegate/%%'
   AND split_part(application_name, '/', 3) LIKE %(worker)s
   AND pid <> pg_catalog.pg_backend_pid()
