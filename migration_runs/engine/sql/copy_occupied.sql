-- what: whether the target has a row in the chunk's range already.
-- why: into an empty range a plain insert is safe and cheap; elsewhere the chunk inserts with ON CONFLICT.
-- locks: ACCESS SHARE on the target.
-- timeout: the session's.
-- undo: none: it reads.
SELECT EXISTS (SELECT FROM {target} AS t WHERE {target_rows} AND {target_range})
