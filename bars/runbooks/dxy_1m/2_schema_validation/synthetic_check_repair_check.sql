-- what: no live row of data_bars, and no bar that is going to be copied, violates the CHECK.
-- why: a CHECK that live rows or live writers violate stops the ingest; the offending sources are named here instead.
-- locks: ACCESS SHARE on both tables.
-- timeout: statement 60 s
-- undo: none needed, it reads only.
SELECT count(*) = 0 AS ok,
       format('live rows of data_bars that the CHECK would refuse: %s%s', count(*),
              coalesce(', of source ' || string_agg(DISTINCT source, ', '), '')) AS message
  FROM public.data_bars
 WHERE NOT (source <> 'synthetic'
            OR (open IS NOT NULL AND high IS NOT NULL AND low IS NOT NULL AND close IS NOT NULL AND raw ? 'kind'))
UNION ALL
SELECT count(*) = 0,
       format('bars to be copied that the CHECK would refuse: %s', count(*))
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
   AND (open IS NULL OR high IS NULL OR low IS NULL OR close IS NULL);
