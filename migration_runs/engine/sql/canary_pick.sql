-- what: the key of one row of the move, the first by its key.
-- why: the canary is a real row in a transaction that is rolled back; an old one is least likely to be wanted by others.
-- locks: none
-- timeout: the session's
-- undo: none: it reads
SELECT {key_text} FROM {table} AS r WHERE {rows} ORDER BY {key} LIMIT 1
