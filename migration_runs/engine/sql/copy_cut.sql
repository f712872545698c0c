-- what: the order of the row that ends the next chunk: the n-th of the range that is left; none when the range is shorter.
-- why: chunks are cut by rows, not by distance, so that gaps in the key do not matter.
-- locks: ACCESS SHARE on the source.
-- timeout: the session's.
-- undo: none: it reads.
SELECT ARRAY[{order_text}]
  FROM {source} AS s
 WHERE {rows} AND {range}
 ORDER BY {order}
OFFSET {skip} LIMIT 1
