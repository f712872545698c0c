-- what: the place of the row that ends the next bucket: the n-th of a range on one side; none when the range is shorter.
-- why: buckets are cut by rows, not by distance, so that gaps in the key do not matter.
-- locks: ACCESS SHARE on the table.
-- timeout: the session's.
-- undo: none: it reads.
SELECT ARRAY[{order_text}] FROM {table} AS r WHERE {rows} ORDER BY {order} OFFSET {skip} LIMIT 1
