-- what: note every key whose two sides are not equal and that is not noted yet, with the side that has the last word: the
--       target where it has the row, else the source.
-- why: the drain settles each under locks on both rows. Rows that old code wrote after cleanup are in the source alone and
--      stay there.
-- locks: ROW EXCLUSIVE on the run's touched list, ACCESS SHARE on both tables.
-- timeout: the step's.
-- undo: the drain empties the list.
INSERT INTO {touched} (side, {names})
SELECT CASE WHEN {target_here} IS NULL THEN 'source' ELSE 'target' END, {either_key}
  FROM (SELECT * FROM {source} AS s WHERE {rows}) AS s
  FULL JOIN (SELECT * FROM {target} AS t WHERE {target_rows}) AS t ON {join}
 WHERE ({source_here} IS NULL OR {target_here} IS NULL OR NOT {equal})
   AND NOT EXISTS (SELECT FROM {touched} AS k WHERE {touched_either})
