-- what: the place of the target row that ends the next piece.
-- why: a rollback walks through the target in pieces, each one transaction.
-- locks: ACCESS SHARE on the target.
-- timeout: the session's.
-- undo: none: it reads.
SELECT ARRAY[{order_text}]
  FROM {target} AS t
 WHERE {target_rows} AND {target_range}
 ORDER BY {target_order}
OFFSET {skip} LIMIT 1
