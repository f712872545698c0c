-- what: how often each named function was called, as the statistics of this database have it, and whether it exists
-- why: the switch of code is proven by calls that stand still and calls that grow, not by somebody's word
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT wanted.name,
       (SELECT coalesce(sum(s.calls), 0)::bigint
          FROM pg_catalog.pg_stat_user_functions AS s
         WHERE s.schemaname || '.' || s.funcname = wanted.name) AS calls,
       EXISTS (SELECT 1
                 FROM pg_catalog.pg_proc AS p
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
                WHERE n.nspname || '.' || p.proname = wanted.name) AS present
  FROM unnest(%(names)s::text[]) AS wanted(name)
