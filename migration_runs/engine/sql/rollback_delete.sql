-- what: delete the piece's target rows that this run brought, where the source proves to have the same row.
-- why: the data decision "delete". A row without its equal in the source stays, as does one that was there before the run
--      and one that somebody has written to since. OFFSET 0 as in retire_soft.sql.
-- locks: ROW EXCLUSIVE on the target, the rows deleted; ACCESS SHARE on the source.
-- timeout: the session's; a lock timeout gives way to the application, and a smaller piece is tried.
-- undo: none: the source has every row that was deleted.
DELETE FROM {target} AS t
 WHERE {target_rows} AND {target_range}
   AND EXISTS (SELECT FROM {source} AS s WHERE {join} AND {rows} AND {equal} OFFSET 0)
   AND NOT EXISTS (SELECT FROM {touched} AS k WHERE {touched_key} OFFSET 0)
   AND NOT EXISTS (SELECT FROM {before} AS b WHERE {before_key} OFFSET 0)
