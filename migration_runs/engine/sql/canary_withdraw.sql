-- what: takes the canary row away as the application would: withdrawn where rows can be.
-- why: it must go on the other side.
-- locks: the row
-- timeout: the session's
-- undo: the transaction is rolled back
UPDATE {table} AS r SET {retired} FROM {keys} WHERE {row_key} AND {rows}
