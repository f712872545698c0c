-- what: writes target rows, as they are now, over the source rows that still live; none comes into being.
-- why: while source rows are retired, a new one would be taken for one that has to be retired again.
-- locks: ROW EXCLUSIVE on the source, the rows written
-- timeout: lock as set by the caller
-- undo: none: the target is what counts
UPDATE {source} AS s
   SET {assignments}
  FROM {keys}
  JOIN {target} AS t ON {target_key}
 WHERE {source_key} AND {source_rows} AND {target_scope} AND NOT {equal}
