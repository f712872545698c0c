-- what: note the keys of the chunk whose target row is not what the source row says, as written by the source.
-- why: the move overwrites such rows. The drain does it, under locks on both rows, so that nothing newer is lost.
--      OFFSET 0 as in copy_differing.sql.
-- locks: ROW EXCLUSIVE on the run's touched list, ACCESS SHARE on both tables.
-- timeout: the session's.
-- undo: rolled back with the chunk's transaction.
INSERT INTO {touched} (side, {touched_columns})
SELECT 'source', {keys}
  FROM {pairs}
 WHERE NOT ({equal})
   AND NOT EXISTS (SELECT FROM {touched} AS k WHERE {touched_key} OFFSET 0)
