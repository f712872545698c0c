-- what: whether one of the keys has an entry that was not read.
-- why: such an entry came in while the batch was applied, and may name the other side: the batch is done again.
-- locks: ACCESS SHARE
-- timeout: the session's
-- undo: none: it reads
SELECT EXISTS (SELECT FROM {keys} JOIN {touched} AS e ON {entry_key} WHERE e.id <> ALL (%(ids)s::bigint[]))
