-- what: locks the rows of one side that have these keys.
-- why: only with both sides locked does the list tell the last word: an unlocked drain loses a committed write.
-- locks: the rows, FOR UPDATE, in the order of their keys
-- timeout: lock 200 ms; the batch is then left for later
-- undo: none
SELECT 1 FROM {keys} JOIN {table} AS r ON {row_key} WHERE {rows} ORDER BY {row_keys} FOR UPDATE OF r
