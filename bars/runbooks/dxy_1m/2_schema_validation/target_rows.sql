-- what: data_bars holds no DXY 1m bar that differs from its source, or that the source does not have.
-- why: a bar that is there already is not copied again; a wrong one would stay wrong under equal counts.
-- locks: ACCESS SHARE on both tables.
-- timeout: statement 60 s
-- undo: none needed, it reads only.
SELECT count(*) = 0 AS ok,
       format('DXY 1m bars in data_bars that differ from, or are missing in, derived_data_bars: %s%s', count(*),
              coalesce(', first at ' || min(target.ts_utc), '')) AS message
  FROM public.data_bars AS target
  LEFT JOIN public.derived_data_bars AS source
    ON source.canonical_symbol = target.canonical_symbol AND source.timeframe = target.timeframe
   AND source.ts_utc = target.ts_utc AND source.deleted_at IS NULL
 WHERE target.canonical_symbol = 'DXY' AND target.timeframe = '1m'
   AND (source.id IS NULL OR target.source <> 'synthetic'
        OR (target.open, target.high, target.low, target.close)
           IS DISTINCT FROM (source.open, source.high, source.low, source.close));
