-- what: writes target rows, as they are now, into the source.
-- why: old readers, and a rollback, find there what new code wrote. As mirror_forward_write.sql.
-- locks: ROW EXCLUSIVE on the source, the rows written
-- timeout: lock as set by the caller
-- undo: none: the target is what counts
INSERT INTO {source} AS s ({columns})
SELECT {back}
  FROM {rows}{where_there}
