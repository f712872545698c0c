-- what: what a database holds that is not PostgreSQL's own: schemas, relations and functions, a few by name
-- why: only a database that is marked as scratch, or holds nothing at all, may be emptied
-- locks: none
-- timeout: statement 10 s
-- undo: none: it only reads
WITH schemas AS (
    SELECT n.oid, n.nspname
      FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
), things AS (
    SELECT 'schema ' || nspname AS thing FROM schemas WHERE nspname NOT IN ('public', 'phasegate_scratch')
    UNION ALL
    SELECT 'relation ' || s.nspname || '.' || c.relname
      FROM schemas AS s JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid
    UNION ALL
    SELECT 'function ' || s.nspname || '.' || p.proname
      FROM schemas AS s JOIN pg_catalog.pg_proc AS p ON p.pronamespace = s.oid
)
SELECT EXISTS (SELECT 1 FROM schemas WHERE nspname = 'phasegate_scratch')
       OR coalesce(pg_catalog.shobj_description(d.oid, 'pg_database') = 'phasegate scratch', false) AS marked,
       (SELECT coalesce(array_agg(nspname::text), '{}') FROM schemas WHERE nspname <> 'phasegate_scratch') AS schemas,
       (SELECT coalesce(array_agg(thing), '{}') FROM (SELECT thing FROM things ORDER BY thing LIMIT 3) AS few) AS things
  FROM pg_catalog.pg_database AS d
 WHERE d.datname = current_database()
