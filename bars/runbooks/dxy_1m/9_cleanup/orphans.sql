-- what: no active DXY 1m bar is left in derived_data_bars, data_bars has them, and no sync trigger is left.
-- why: a bar that is active in neither table is lost to its readers; one that is active in both is counted twice.
-- locks: ACCESS SHARE on both tables.
-- timeout: statement 60 s
-- undo: none needed, it reads only.
SELECT count(*) = 0 AS ok,
       format('active DXY 1m bars left in derived_data_bars: %s', count(*)) AS message
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
UNION ALL
SELECT count(*) > 0,
       format('DXY 1m bars in data_bars: %s, the newest of %s', count(*), coalesce(max(ts_utc)::text, 'never'))
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
UNION ALL
SELECT count(*) = 0,
       format('sync triggers left on the two tables: %s%s', count(*), coalesce(': ' || string_agg(found.tgname, ', '), ''))
  FROM pg_catalog.pg_trigger AS found
  JOIN pg_catalog.pg_proc AS routine ON routine.oid = found.tgfoid
 WHERE found.tgrelid IN ('public.data_bars'::regclass, 'public.derived_data_bars'::regclass)
   AND routine.pronamespace = to_regnamespace('phasegate');
