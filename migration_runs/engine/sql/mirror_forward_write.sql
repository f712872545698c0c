-- what: writes source rows, as they are now, into the target.
-- why: equal rows are not written, so that echoes end and nothing is locked for nothing.
-- locks: ROW EXCLUSIVE on the target, the rows written
-- timeout: lock as set by the caller
-- undo: the other direction's data decision
INSERT INTO {target} AS t ({columns})
SELECT {image}
  FROM {keys}
  JOIN {source} AS s ON {source_key}
 WHERE {source_rows}
    ON CONFLICT {conflict} {action}
