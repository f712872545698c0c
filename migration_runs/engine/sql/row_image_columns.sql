-- what: a table's columns that may be written, and which of them are its primary key
-- why: rows kept before a step are put back by their primary key; generated columns compute themselves
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT a.attname AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       coalesce(a.attnum = ANY (k.conkey), false) AS in_key
  FROM pg_catalog.pg_attribute AS a
  LEFT JOIN pg_catalog.pg_constraint AS k ON k.conrelid = a.attrelid AND k.contype = 'p'
 WHERE a.attrelid = pg_catalog.to_regclass(%(table)s)
   AND a.attnum > 0
   AND NOT a.attisdropped
   AND a.attgenerated = ''
 ORDER BY a.attnum
