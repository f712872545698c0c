-- what: remembers the target rows in scope that are there before forward goes on, with an image of those that differ.
-- why: a rollback never deletes them, and gives back the ones that were overwritten or removed.
-- locks: ACCESS SHARE on both tables
-- timeout: the step's
-- undo: none needed: it is the run's own table
INSERT INTO {before} ({keys}, image)
SELECT {target_keys}, CASE WHEN {source_here} IS NULL OR NOT {equal} THEN to_jsonb(t) END
  FROM {target} AS t
  LEFT JOIN {source} AS s ON {join} AND {source_rows}
 WHERE {target_scope}
