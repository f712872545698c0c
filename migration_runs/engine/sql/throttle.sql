-- what: how much the target suffers now: the server's time, WAL written so far, where each standby's replay is and how long
--       its last transaction took there, the slot that keeps most WAL, sessions of others that wait for a lock of ours,
--       active client sessions of others in this database.
-- why: between two chunks the copier looks whether it should wait for the application, and says why it does.
-- locks: none beyond the catalogs; pg_blocking_pids stops the lock table for a moment, but only where somebody waits.
-- timeout: the session's.
-- undo: none: it reads.
WITH ours AS MATERIALIZED (
  SELECT array_agg(a.pid) AS pids
    FROM pg_catalog.pg_stat_activity AS a
   WHERE starts_with(a.application_name, %(ours)s) AND a.usename = current_user
), waiting AS MATERIALIZED (
  SELECT DISTINCT l.pid FROM pg_catalog.pg_locks AS l WHERE NOT l.granted
), slot AS (
  SELECT s.slot_name::text AS name, pg_catalog.pg_current_wal_lsn() - s.restart_lsn AS bytes
    FROM pg_catalog.pg_replication_slots AS s
   WHERE s.restart_lsn IS NOT NULL
   ORDER BY bytes DESC
   LIMIT 1
)
SELECT pg_catalog.clock_timestamp() AS now,
       (pg_catalog.pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS wal,
       coalesce((SELECT jsonb_agg(jsonb_build_object(
                          'pid', r.pid,
                          'name', coalesce(nullif(r.application_name, ''), r.client_addr::text, 'unnamed'),
                          'replayed', (r.replay_lsn - '0/0'::pg_lsn)::bigint,
                          'lag_s', coalesce(extract(epoch FROM r.replay_lag), 0)::float8,
                          'replied', r.reply_time))
                   FROM pg_catalog.pg_stat_replication AS r
                  WHERE r.replay_lsn IS NOT NULL), '[]') AS standbys,
       (SELECT slot.name FROM slot) AS slot,
       coalesce((SELECT slot.bytes FROM slot), 0)::bigint AS slot_bytes,
       (SELECT count(*)
          FROM waiting AS w, ours
         WHERE w.pid <> ALL (ours.pids) AND pg_catalog.pg_blocking_pids(w.pid) && ours.pids) AS lock_waiters,
       (SELECT count(*)
          FROM pg_catalog.pg_stat_activity AS a, ours
         WHERE a.datname = pg_catalog.current_database() AND a.backend_type = 'client backend' AND a.state = 'active'
           AND a.pid <> ALL (ours.pids)) AS active_sessions
