-- what: writes source rows, as they are now, into the target.
-- why: equal rows are not written, so that echoes end. OFFSET 0 makes it a lookup by key for each key, however large
--      the tables have become since the statement was planned.
-- locks: ROW EXCLUSIVE on the target, the rows written
-- timeout: lock as set by the caller
-- undo: the other direction's data decision
INSERT INTO {target} AS t ({columns})
SELECT {image}
  FROM {keys}
 CROSS JOIN LATERAL (SELECT s.* FROM {source} AS s WHERE {source_key} AND {source_rows} OFFSET 0) AS s
    ON CONFLICT {conflict} {action}
