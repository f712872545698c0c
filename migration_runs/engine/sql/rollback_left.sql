-- what: keys of target rows in scope that are neither deleted nor were there before the run.
-- why: a rollback with the data decision "delete" stops and names them.
-- locks: ACCESS SHARE on the target.
-- timeout: the step's.
-- undo: none: it reads.
SELECT {target_key_text}
  FROM {target} AS t
 WHERE {target_rows}
   AND NOT EXISTS (SELECT FROM {before} AS b WHERE {before_key} OFFSET 0)
 ORDER BY {target_order}
 LIMIT {limit}
