-- what: the piece's target rows that the source has no active row for, written into the source.
-- why: what new code wrote while no trigger brought it to the source. What is there is never overwritten with a value read
--      earlier, and a row that this run retired is not doubled: it is revived. OFFSET 0 as in retire_soft.sql.
-- locks: ROW EXCLUSIVE on the source, ACCESS SHARE on the target.
-- timeout: the session's; a lock timeout gives way to the application, and a smaller piece is tried.
-- undo: rolled back with the piece's transaction.
INSERT INTO {source} AS s ({back_columns})
SELECT {back}
  FROM {target} AS t
 WHERE {target_rows} AND {target_range}
   AND NOT EXISTS (SELECT FROM {source} AS s WHERE {join} AND {rows} OFFSET 0)
   AND NOT EXISTS (SELECT FROM {gone} AS g WHERE {gone_key} OFFSET 0)
 ORDER BY {target_order}
    ON CONFLICT {source_conflict} DO NOTHING
