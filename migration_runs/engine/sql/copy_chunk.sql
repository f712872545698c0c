-- what: the chunk's active rows, as rows of the target, into a part of the target that is empty.
-- why: a plain ordered insert is the cheapest way there is; a row that the forward trigger wrote meanwhile makes it fail,
--      and the chunk is then done again with copy_chunk_careful.sql.
-- locks: ROW EXCLUSIVE on the target, ACCESS SHARE on the source; no row of the source is locked.
-- timeout: the session's; a lock timeout gives way to the application, and a smaller chunk is tried.
-- undo: rolled back with the chunk's transaction; afterwards by the move's data decision.
INSERT INTO {target} AS t ({columns})
SELECT {image}
  FROM {source} AS s
 WHERE {rows} AND {range}
 ORDER BY {order}
