-- what: the order of some rows, drawn from the table's pages at random, in order.
-- why: their quantiles cut the copy into ranges of about equal size for several workers, without sorting the whole table.
-- locks: ACCESS SHARE on the source.
-- timeout: the step's.
-- undo: none: it reads.
SELECT ARRAY[{order_text}]
  FROM {source} AS s TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1)
 WHERE {rows}
 ORDER BY {order}
