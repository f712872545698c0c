-- what: the server counts function calls, and nothing old is in flight.
-- why: phase 7 proves the switch from the calls of every function, so track_functions must be all; a prepared
--   transaction that nobody ends would keep the copy from ever settling.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT current_setting('track_functions') = 'all' AS ok,
       format('track_functions: %s (must be all)', current_setting('track_functions')) AS message
UNION ALL
SELECT current_setting('track_counts') = 'on',
       format('track_counts: %s (must be on)', current_setting('track_counts'))
UNION ALL
SELECT count(*) = 0,
       format('prepared transactions in this database: %s (must be 0)%s', count(*),
              coalesce(': ' || string_agg(gid, ', ' ORDER BY prepared), ''))
  FROM pg_catalog.pg_prepared_xacts
 WHERE database = current_database();
