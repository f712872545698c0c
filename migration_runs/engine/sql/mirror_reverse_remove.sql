-- what: deletes source rows whose target row is gone.
-- why: only where the target, read again, has none.
-- locks: ROW EXCLUSIVE on the source, the rows written
-- timeout: lock as set by the caller
-- undo: none: the target is what counts
DELETE FROM {source} AS s
 USING {keys}
 WHERE {source_key} AND {source_rows}
   AND NOT EXISTS (SELECT FROM {target} AS t WHERE {target_key} AND {target_scope})
