-- what: the role sees the rows of the two tables, as many as the catalog estimates.
-- why: derived_data_bars has row-level security without policies: whoever neither owns the table nor bypasses it
--   sees no row at all, and every check over no row passes.
-- locks: ACCESS SHARE on both tables.
-- timeout: statement 30 s
-- undo: none needed, it reads only.
SELECT NOT row_security_active('public.derived_data_bars') AS ok,
       format('row-level security hides rows of derived_data_bars from %s: %s (must be false)', current_user,
              row_security_active('public.derived_data_bars')) AS message
UNION ALL
SELECT NOT row_security_active('public.data_bars'),
       format('row-level security hides rows of data_bars from %s: %s (must be false)', current_user,
              row_security_active('public.data_bars'))
UNION ALL
SELECT seen.n >= least(1000, relation.reltuples / 2) AND (relation.relpages = 0 OR seen.n > 0),
       format('derived_data_bars: %s rows seen (counting to 1,000), %s estimated by the catalog',
              seen.n, relation.reltuples)
  FROM pg_catalog.pg_class AS relation,
       (SELECT count(*) AS n FROM (SELECT FROM public.derived_data_bars LIMIT 1000) AS sample) AS seen
 WHERE relation.oid = 'public.derived_data_bars'::regclass
UNION ALL
SELECT seen.n >= least(1000, relation.reltuples / 2) AND (relation.relpages = 0 OR seen.n > 0),
       format('data_bars: %s rows seen (counting to 1,000), %s estimated by the catalog',
              seen.n, relation.reltuples)
  FROM pg_catalog.pg_class AS relation,
       (SELECT count(*) AS n FROM (SELECT FROM public.data_bars LIMIT 1000) AS sample) AS seen
 WHERE relation.oid = 'public.data_bars'::regclass;
