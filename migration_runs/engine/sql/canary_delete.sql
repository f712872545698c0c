-- what: deletes the canary row.
-- why: it must go on the other side.
-- locks: the row
-- timeout: the session's
-- undo: the transaction is rolled back
DELETE FROM {table} AS r USING {keys} WHERE {row_key} AND {rows}
