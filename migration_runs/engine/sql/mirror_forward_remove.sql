-- what: removes target rows whose source row lives no more.
-- why: only where the source, read again, has none: a nested or a later statement may have brought it back.
-- locks: ROW EXCLUSIVE on the target, the rows removed
-- timeout: lock as set by the caller
-- undo: none: the source is what counts
DELETE FROM {target} AS t
 USING {keys}
 WHERE {target_key} AND {target_scope}
   AND NOT EXISTS (SELECT FROM {source} AS s WHERE {source_key} AND {source_rows}){but_gone}
