-- what: sessions that wait for a lock, and whom they wait for.
-- why: the migration must hold nobody up.
-- locks: none.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT pid, pg_blocking_pids(pid) AS behind, left(query, 60) AS query
  FROM pg_stat_activity
 WHERE wait_event_type = 'Lock';
