-- what: the key that ends the next batch of noted keys; none when the rest is smaller.
-- why: a few thousand keys per snapshot, however many were touched.
-- locks: ACCESS SHARE on the run's own table
-- timeout: the session's
-- undo: none: it reads.
SELECT ARRAY[{order_text}] FROM {dirty} AS k WHERE {range} ORDER BY {order} OFFSET {skip} LIMIT 1
