-- what: the columns of a table that can be copied into it, its sequences, and about how many rows it has
-- why: a rehearsal needs a few real rows, and sequences that do not give their ids a second time
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT a.attname AS name,
       pg_catalog.pg_get_serial_sequence(%(table)s, a.attname) AS sequence,
       c.reltuples AS rows
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
 WHERE a.attrelid = pg_catalog.to_regclass(%(table)s)
   AND a.attnum > 0
   AND NOT a.attisdropped
   AND a.attgenerated = ''
   AND c.relkind = 'r'
 ORDER BY a.attnum
