-- what: the CHECK that a synthetic bar is complete has been validated for every row.
-- why: an unvalidated CHECK says nothing about the rows that were there before it.
-- locks: none.
-- timeout: lock 200 ms, statement 60 s
-- undo: none needed, it reads only; its repair is undone with the CHECK itself.
SELECT coalesce(bool_and(found.convalidated), false) AS ok,
       format('CHECK data_bars_synthetic_complete: %s',
              CASE WHEN bool_and(found.convalidated) THEN 'validated'
                   WHEN count(*) = 0 THEN 'missing' ELSE 'not validated' END) AS message
  FROM pg_catalog.pg_constraint AS found
 WHERE found.conrelid = 'public.data_bars'::regclass AND found.conname = 'data_bars_synthetic_complete';
