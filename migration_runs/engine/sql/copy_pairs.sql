-- what: the target rows that are in the chunk's range already, each with its source row.
-- why: there are few of them as a rule, since the forward trigger alone wrote them; the rows to copy are many.
-- locks: ACCESS SHARE on both tables.
-- timeout: the session's.
-- undo: none: it reads.
(SELECT t.* FROM {target} AS t WHERE {target_rows} AND {target_range} OFFSET 0) AS t
 CROSS JOIN LATERAL (SELECT s.* FROM {source} AS s WHERE {join} AND {rows} OFFSET 0) AS s
