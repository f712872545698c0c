-- what: no function of aggregation or signal engine reads 1m bars from two tables any more, and the metadata has its four keys.
-- why: phase 7 deploys on top of this; a forgotten reader would count bars twice, or miss them after the cleanup.
-- locks: ACCESS SHARE on core_asset_registry_all.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT pg_get_functiondef(wanted.name::regprocedure) !~* 'UNION ALL' AS ok,
       format('%s reads 1m bars from one table: %s', wanted.name,
              pg_get_functiondef(wanted.name::regprocedure) !~* 'UNION ALL') AS message
  FROM (VALUES ('public.aggregate_1m_to_5m_range(text, timestamptz, timestamptz, integer)'),
               ('public.agg_bootstrap_cursor(text, text)'),
               ('public.signal_bars(text, text, integer)')) AS wanted (name)
UNION ALL
SELECT (SELECT array_agg(key ORDER BY key) FROM jsonb_object_keys(asset.metadata) AS key)
       = ARRAY['base_timeframe', 'components', 'derived_timeframes', 'is_synthetic'],
       format('metadata of DXY: %s', coalesce(asset.metadata::text, 'none'))
  FROM public.core_asset_registry_all AS asset
 WHERE asset.canonical_symbol = 'DXY';
