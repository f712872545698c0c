-- what: oid, schema and name of an index of a table, and whether it is valid
-- why: a concurrent build that was interrupted leaves an invalid index, which must go before it is built again
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT c.oid::bigint, n.nspname, c.relname, i.indisvalid
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE i.indrelid = pg_catalog.to_regclass(%(table)s)
   AND c.relname = (pg_catalog.parse_ident(%(index)s))[1]
