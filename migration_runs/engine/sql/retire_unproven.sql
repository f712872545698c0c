-- what: keys of active source rows that are not proven equal in the target, those that wait to be drained included.
-- why: cleanup stops and names them.
-- locks: ACCESS SHARE on both tables.
-- timeout: the session's.
-- undo: none: it reads.
SELECT {key_text}
  FROM {source} AS s
  LEFT JOIN LATERAL (SELECT t.* FROM {target} AS t WHERE {join} AND {target_rows} OFFSET 0) AS t ON true
 WHERE {rows} AND ({target_here} IS NULL OR NOT {equal})
 ORDER BY {order}
 LIMIT {limit}
