-- what: delete the source rows of a range whose target row is proven equal and that nobody has written to since, and keep
--       their images in this run's list of gone rows.
-- why: as retire_soft.sql, for a table whose rows cannot be withdrawn.
-- locks: ROW EXCLUSIVE on the source, the rows deleted; ACCESS SHARE on the target.
-- timeout: the session's; a lock timeout gives way to the application, and a smaller range is tried.
-- undo: mirror_reinsert.sql, for exactly the rows in the list.
WITH retired AS (
     DELETE FROM {source} AS s
      WHERE {rows} AND {range}
        AND EXISTS (SELECT FROM {target} AS t WHERE {join} AND {target_rows} AND {equal} OFFSET 0)
        AND NOT EXISTS (SELECT FROM {touched} AS k WHERE {touched_key} OFFSET 0)
     RETURNING {returned}, pg_catalog.to_jsonb(s) AS image)
INSERT INTO {gone} ({names}, image)
SELECT {names}, image FROM retired
