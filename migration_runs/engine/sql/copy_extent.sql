-- what: how many rows there are to copy, how many of them have no place in the order, and the place of the last one.
-- why: the copy's upper bound is fixed before its first chunk; rows above it are the forward trigger's.
-- locks: ACCESS SHARE on the source.
-- timeout: the step's.
-- undo: none: it reads.
SELECT count(*), count(*) FILTER (WHERE s.{chunk} IS NULL),
       (SELECT ARRAY[{order_text}] FROM {source} AS s WHERE {rows} ORDER BY {order_down} LIMIT 1)
  FROM {source} AS s
 WHERE {rows}
