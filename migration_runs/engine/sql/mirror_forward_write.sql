-- what: writes source rows, as they are now, into the target.
-- why: equal rows are not written, so that echoes end. Rows of an INSERT are at first taken for new ones, which is the
--      cheaper way to write them; one that is there is then a unique violation, and the statement is tried again.
-- locks: ROW EXCLUSIVE on the target, the rows written
-- timeout: lock as set by the caller
-- undo: the other direction's data decision
INSERT INTO {target} AS t ({columns})
SELECT {image}
  FROM {rows}{where_there}
