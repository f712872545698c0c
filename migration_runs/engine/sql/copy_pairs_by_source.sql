-- what: the chunk's source rows that the target has already, each with its target row.
-- why: where the copy is cut by a column that the target does not have, the chunk is only known by its source rows.
-- locks: ACCESS SHARE on both tables.
-- timeout: the session's.
-- undo: none: it reads.
(SELECT s.* FROM {source} AS s WHERE {rows} AND {range} OFFSET 0) AS s
 CROSS JOIN LATERAL (SELECT t.* FROM {target} AS t WHERE {join} AND {target_rows} OFFSET 0) AS t
