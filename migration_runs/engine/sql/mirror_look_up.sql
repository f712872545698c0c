-- what: one side's rows with given keys, as they are now: what follows FROM.
-- why: OFFSET 0 makes it a lookup by key for each key, however large the table has become since the statement was planned.
-- locks: ACCESS SHARE
-- timeout: as set by the caller
-- undo: none: it reads
{keys}
 CROSS JOIN LATERAL (SELECT {alias}.* FROM {table} AS {alias} WHERE {key} AND {rows} OFFSET 0) AS {alias}
