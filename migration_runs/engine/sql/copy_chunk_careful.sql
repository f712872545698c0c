-- what: the chunk's active rows that the target does not have yet.
-- why: where the target has rows already, theirs are newer (the forward trigger wrote them) or are compared afterwards
--      (copy_differing.sql); what is there is never overwritten with a value read earlier.
-- locks: ROW EXCLUSIVE on the target, ACCESS SHARE on the source; no row of the source is locked.
-- timeout: the session's; a lock timeout gives way to the application, and a smaller chunk is tried.
-- undo: rolled back with the chunk's transaction; afterwards by the move's data decision.
INSERT INTO {target} AS t ({columns})
SELECT {image}
  FROM {source} AS s
 WHERE {rows} AND {range}
 ORDER BY {order}
    ON CONFLICT {conflict} DO NOTHING
