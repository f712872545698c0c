-- what: the place of the source's row that lies so many rows before the end of a range.
-- why: new rows mostly come at the end, which is compared often; a margin before it holds those that come a little late.
-- locks: ACCESS SHARE on the source.
-- timeout: the session's
-- undo: none: it reads.
SELECT ARRAY[{order_text}] FROM {source} AS r WHERE {rows} ORDER BY {order_down} OFFSET {skip} LIMIT 1
