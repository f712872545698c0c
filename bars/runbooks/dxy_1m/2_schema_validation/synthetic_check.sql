-- what: data_bars has a CHECK that a synthetic bar is complete.
-- why: the price columns of data_bars may be NULL, those of derived_data_bars may not: an incomplete synthetic bar
--   could not be mirrored back, and a rollback would lose it.
-- locks: none.
-- timeout: lock 200 ms, statement 5 s
-- undo: none needed, it reads only; its repair has an undo of its own.
SELECT count(*) = 1 AS ok,
       format('CHECK data_bars_synthetic_complete: %s', CASE count(*) WHEN 1 THEN 'found' ELSE 'missing' END) AS message
  FROM pg_catalog.pg_constraint AS found
 WHERE found.conrelid = 'public.data_bars'::regclass
   AND found.conname = 'data_bars_synthetic_complete' AND found.contype = 'c';
