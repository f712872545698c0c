-- what:  of every symbol, timeframe and table that holds a bar of it: the newest one.
-- why:   freshness. Each is one look at the end of an index, so the cost grows with symbols and not with bars.
SELECT asset.canonical_symbol, frame.timeframe, held.table_name, held.newest
  FROM public.core_asset_registry_all AS asset
 CROSS JOIN unnest(%(timeframes)s::text[]) WITH ORDINALITY AS frame (timeframe, place)
 CROSS JOIN LATERAL (
       SELECT 'data_bars' AS table_name,
              (SELECT max(bar.ts_utc) FROM public.data_bars AS bar
                WHERE bar.canonical_symbol = asset.canonical_symbol AND bar.timeframe = frame.timeframe) AS newest
       UNION ALL
       SELECT 'derived_data_bars',
              (SELECT max(bar.ts_utc) FROM public.derived_data_bars AS bar
                WHERE bar.canonical_symbol = asset.canonical_symbol AND bar.timeframe = frame.timeframe
                  AND bar.deleted_at IS NULL)) AS held
 WHERE held.newest IS NOT NULL
 ORDER BY asset.canonical_symbol, frame.place, held.table_name
