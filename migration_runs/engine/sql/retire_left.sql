-- what: how many active rows in scope the source still has, counted no further than asked.
-- why: cleanup is over when there is none, and its last step under lock must be short.
-- locks: ACCESS SHARE on the source.
-- timeout: the session's.
-- undo: none: it reads.
SELECT count(*) FROM (SELECT FROM {source} AS s WHERE {rows} LIMIT {limit}) AS counted
