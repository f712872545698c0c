-- what: the chunk's active rows that the target does not have yet, by a plain insert.
-- why: where the forward trigger wrote a few rows of the range already, leaving these out is much cheaper than ON CONFLICT
--      for every row; NOT IN is one hash of the few. A row that arrives meanwhile makes it fail, and the chunk is then done
--      again with copy_chunk_careful.sql.
-- locks: ROW EXCLUSIVE on the target, ACCESS SHARE on the source; no row of the source is locked.
-- timeout: the session's; a lock timeout gives way to the application, and a smaller chunk is tried.
-- undo: rolled back with the chunk's transaction; afterwards by the move's data decision.
INSERT INTO {target} AS t ({columns})
SELECT {image}
  FROM {source} AS s
 WHERE {rows} AND {range}
   AND ({keys}) NOT IN (SELECT {target_keys} FROM {target} AS t WHERE {target_rows} AND {target_range})
 ORDER BY {order}
