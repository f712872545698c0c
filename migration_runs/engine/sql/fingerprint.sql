-- what: the schema that a plan depends on, one line of JSON per thing: columns, constraints, indexes, triggers,
--       policies of its tables, and the definitions of its functions; our own triggers are left out
-- why: a signature is for this schema; when any line changes other than by the run itself, it is void
-- locks: none
-- timeout: statement 10 s
-- undo: none: it only reads
WITH tables AS (
    SELECT wanted.name, pg_catalog.to_regclass(wanted.name)::oid AS oid
      FROM unnest(%(tables)s::text[]) AS wanted(name)
), functions AS (
    SELECT n.nspname || '.' || p.proname AS name, p.oid
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
     WHERE n.nspname || '.' || p.proname = ANY (%(functions)s::text[])
       AND p.prokind IN ('f', 'p', 'w')
)
SELECT jsonb_build_array('table', t.name, c.relkind, c.relrowsecurity, c.relforcerowsecurity)::text AS line
  FROM tables AS t LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
UNION ALL
SELECT jsonb_build_array('column', t.name, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
                         a.attnotnull, a.attidentity, a.attgenerated, a.attcollation::regcollation::text,
                         pg_catalog.pg_get_expr(d.adbin, d.adrelid))::text
  FROM tables AS t
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT jsonb_build_array('constraint', t.name, k.conname, pg_catalog.pg_get_constraintdef(k.oid), k.convalidated)::text
  FROM tables AS t JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid
UNION ALL
SELECT jsonb_build_array('index', t.name, pg_catalog.pg_get_indexdef(i.indexrelid), i.indisvalid)::text
  FROM tables AS t JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
UNION ALL
SELECT jsonb_build_array('trigger', t.name, pg_catalog.pg_get_triggerdef(g.oid), g.tgenabled)::text
  FROM tables AS t
  JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
  JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname <> 'phasegate'
UNION ALL
SELECT jsonb_build_array('policy', t.name, y.polname, y.polcmd, y.polpermissive,
                         pg_catalog.pg_get_expr(y.polqual, y.polrelid),
                         pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid))::text
  FROM tables AS t JOIN pg_catalog.pg_policy AS y ON y.polrelid = t.oid
UNION ALL
SELECT jsonb_build_array('function', f.name, pg_catalog.pg_get_functiondef(f.oid))::text
  FROM functions AS f
