-- what: for a backup of named tables: which of them exist, all tables of the schemas concerned (their rows are left
--       out), foreign keys that lead out of the named tables, and the functions that exist of those declared
-- why: the dump holds the whole schema, the rows of the named tables only; the proof restores exactly that
-- locks: none
-- timeout: statement 10 s
-- undo: none: it only reads
WITH named AS (
    SELECT wanted.name, pg_catalog.to_regclass(wanted.name)::oid AS oid
      FROM unnest(%(tables)s::text[]) AS wanted(name)
)
SELECT (SELECT coalesce(array_agg(name), '{}') FROM named WHERE oid IS NULL) AS missing,
       (SELECT coalesce(array_agg(format('%%I.%%I', n.nspname, c.relname)), '{}')
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = ANY (%(schemas)s::text[])
           AND c.relkind IN ('r', 'p', 'm', 'f')
           AND c.oid NOT IN (SELECT oid FROM named WHERE oid IS NOT NULL)) AS without_rows,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(n.nspname, c.relname, k.conname)), '[]')
          FROM pg_catalog.pg_constraint AS k
          JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE k.contype = 'f'
           AND n.nspname = ANY (%(schemas)s::text[])
           AND k.confrelid NOT IN (SELECT oid FROM named WHERE oid IS NOT NULL)) AS foreign_keys_out,
       (SELECT coalesce(array_agg(DISTINCT n.nspname || '.' || p.proname), '{}')
          FROM pg_catalog.pg_proc AS p
          JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname || '.' || p.proname = ANY (%(functions)s::text[])) AS functions,
       (SELECT coalesce(sum(pg_catalog.pg_table_size(oid)), 0)::bigint FROM named WHERE oid IS NOT NULL) AS bytes
