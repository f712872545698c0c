-- what: gives one column of the canary row another value.
-- why: a correction must arrive on the other side.
-- locks: the row
-- timeout: the session's
-- undo: the transaction is rolled back
UPDATE {table} AS r SET {column} = {value} FROM {keys} WHERE {row_key} AND {rows} AND {value} IS DISTINCT FROM r.{column}
