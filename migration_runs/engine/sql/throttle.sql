-- what: how much the target suffers now: replay lag of its standbys, sessions of others that wait for a lock and use our
--       two tables, active client sessions of this database.
-- why: between two chunks the copier looks whether it should wait for the application, and says why it does.
-- locks: none beyond the catalogs; the lock table's partitions are read one after the other, without stopping anybody long.
-- timeout: the session's.
-- undo: none: it reads.
SELECT
  coalesce((SELECT max(extract(epoch FROM r.replay_lag)) FROM pg_catalog.pg_stat_replication r), 0)::float8,
  (SELECT count(DISTINCT w.pid)
     FROM pg_catalog.pg_locks w
    WHERE NOT w.granted
      AND EXISTS (SELECT FROM pg_catalog.pg_locks t
                   WHERE t.pid = w.pid
                     AND t.database = (SELECT d.oid FROM pg_catalog.pg_database d
                                        WHERE d.datname = pg_catalog.current_database())
                     AND t.relation = ANY (%(tables)s::oid[]))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
                       WHERE a.pid = w.pid AND a.application_name LIKE 'phasegate/%%')),
  (SELECT count(*) FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend' AND a.state = 'active'
      AND a.pid <> pg_catalog.pg_backend_pid())
