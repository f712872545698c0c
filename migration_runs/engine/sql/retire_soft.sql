-- what: withdraw (soft-delete) the source rows of a range whose target row is proven equal and that nobody has written to
--       since, and write them into this run's list of gone rows.
-- why: one statement, so that the forward trigger already finds the rows in the list and leaves the target alone. A row that
--      changes between the comparison and its lock is compared again with its new values, and then left. OFFSET 0 makes
--      lookups by key, whatever the statistics say of tables that have just grown.
-- locks: ROW EXCLUSIVE on the source, the rows withdrawn; ACCESS SHARE on the target.
-- timeout: the session's; a lock timeout gives way to the application, and a smaller range is tried.
-- undo: mirror_revive.sql, for exactly the rows in the list.
WITH retired AS (
     UPDATE {source} AS s
        SET {retired}
      WHERE {rows} AND {range}
        AND EXISTS (SELECT FROM {target} AS t WHERE {join} AND {target_rows} AND {equal} OFFSET 0)
        AND NOT EXISTS (SELECT FROM {touched} AS k WHERE {touched_key} OFFSET 0)
     RETURNING {returned})
INSERT INTO {gone} ({names})
SELECT {names} FROM retired
