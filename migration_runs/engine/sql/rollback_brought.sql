-- what: target rows in scope that were not there before the run: those that it copied, and those that were mirrored since.
-- why: the preview of a rollback with the data decision "delete" says how many rows it is about.
-- locks: ACCESS SHARE on the target.
-- timeout: the session's.
-- undo: none: it reads.
SELECT 1
  FROM {target} AS t
 WHERE {target_rows}
   AND NOT EXISTS (SELECT FROM {before} AS b WHERE {before_key})
