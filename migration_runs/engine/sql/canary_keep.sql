-- what: the canary row as it is, locked.
-- why: it is put back from this after it was taken away.
-- locks: the row
-- timeout: lock 200 ms, tried again
-- undo: the transaction is rolled back
SELECT to_jsonb(r)::text FROM {keys} JOIN {table} AS r ON {row_key} WHERE {rows} FOR UPDATE OF r
