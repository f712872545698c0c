-- what: every table and function that the plan names exists, under exactly this signature.
-- why: a statement that names what does not exist stops a run in its middle.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT to_regclass(wanted.name) IS NOT NULL AS ok,
       format('table %s: %s', wanted.name,
              CASE WHEN to_regclass(wanted.name) IS NULL THEN 'missing' ELSE 'found' END) AS message
  FROM (VALUES ('public.derived_data_bars'), ('public.data_bars'), ('public.core_asset_registry_all'),
               ('public.data_agg_state'), ('public.data_ingest_state'), ('public.ops_runlog')) AS wanted (name)
UNION ALL
SELECT to_regprocedure(wanted.name) IS NOT NULL,
       format('function %s: %s', wanted.name,
              CASE WHEN to_regprocedure(wanted.name) IS NULL THEN 'missing' ELSE 'found' END)
  FROM (VALUES ('public.market_now()'),
               ('public.calc_dxy_range_derived(timestamptz, timestamptz, text, integer)'),
               ('public.aggregate_1m_to_5m_range(text, timestamptz, timestamptz, integer)'),
               ('public.agg_bootstrap_cursor(text, text)'),
               ('public.signal_bars(text, text, integer)')) AS wanted (name);
