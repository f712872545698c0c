-- what: the lowest and the highest value of the chunk column among the rows to compare.
-- why: a report says which part of the data it is about.
-- locks: ACCESS SHARE on the source.
-- timeout: the step's.
-- undo: none: it reads.
SELECT (SELECT s.{chunk}::text FROM {source} AS s WHERE {rows} ORDER BY s.{chunk} LIMIT 1),
       (SELECT s.{chunk}::text FROM {source} AS s WHERE {rows} ORDER BY s.{chunk} DESC LIMIT 1)
