-- what: oid, schema and name of an index by its own name, and whether it is valid
-- why: whether an index that is dropped concurrently is still there tells how far the statement came
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT c.oid::bigint, n.nspname, c.relname, i.indisvalid
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE i.indexrelid = pg_catalog.to_regclass(%(index)s)
