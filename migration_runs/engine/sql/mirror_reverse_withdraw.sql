-- what: withdraws (soft-deletes) source rows whose target row is gone.
-- why: only where the target, read again, has none; the row stays for those who look at withdrawn ones.
-- locks: ROW EXCLUSIVE on the source, the rows written
-- timeout: lock as set by the caller
-- undo: none: the target is what counts
UPDATE {source} AS s
   SET {retired}
  FROM {keys}
 WHERE {source_key} AND {source_rows}
   AND NOT EXISTS (SELECT FROM {target} AS t WHERE {target_key} AND {target_scope})
