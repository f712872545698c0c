-- what: inserts the canary row as a new one.
-- why: it must appear on the other side.
-- locks: the row
-- timeout: the session's
-- undo: the transaction is rolled back
INSERT INTO {table} ({columns})
SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %(row)s::jsonb)
