-- what: the collation of one column; 0 where its type has none.
-- why: the same text may stand at another place of the order on the other side.
-- locks: none
-- timeout: the session's
-- undo: none: it reads.
SELECT attcollation::bigint FROM pg_catalog.pg_attribute WHERE attrelid = %(oid)s::oid AND attname = %(name)s
