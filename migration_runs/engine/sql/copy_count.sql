-- what: how many rows of the source the chunk is about.
-- why: where the target had some of them already, the number of inserted rows does not say it.
-- locks: ACCESS SHARE on the source.
-- timeout: the session's.
-- undo: none: it reads.
SELECT count(*) FROM {source} AS s WHERE {rows} AND {range}
