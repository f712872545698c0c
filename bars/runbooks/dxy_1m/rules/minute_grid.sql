-- what: minutes for which all six components are there and DXY is not; and bars of DXY off the minute grid.
-- why: a gap that no comparison of two tables sees, since both have it. A bar that was withdrawn leaves its row in derived_data_bars and is no gap. A component that came after DXY was last
--   derived is not due yet: the feed derives that minute next. What came before the history's first bar is none either.
-- locks: ACCESS SHARE on data_bars and derived_data_bars.
-- timeout: statement 30 s
-- undo: none needed, it reads only.
WITH span AS (
    SELECT greatest(coalesce(%(lo)s, '-infinity'), min(ts_utc)) AS starts,
           least(coalesce(%(hi)s, 'infinity'), max(ts_utc)) AS ends,
           (SELECT newest.ingested_at FROM public.data_bars AS newest
             WHERE newest.canonical_symbol = 'DXY' AND newest.timeframe = '1m'
             ORDER BY newest.ts_utc DESC LIMIT 1) AS derived_at
      FROM public.data_bars
     WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
), complete AS (
    SELECT component.ts_utc
      FROM span
      JOIN public.data_bars AS component ON component.ts_utc >= span.starts AND component.ts_utc <= span.ends
     WHERE component.canonical_symbol IN ('EURUSD', 'USDJPY', 'GBPUSD', 'USDCAD', 'USDSEK', 'USDCHF')
       AND component.timeframe = '1m' AND component.close > 0 AND component.close < 'infinity'
       AND component.ingested_at < span.derived_at
     GROUP BY component.ts_utc
    HAVING count(*) = 6
)
SELECT complete.ts_utc, 'all six components, no bar' AS detail
  FROM complete
  LEFT JOIN public.data_bars AS dxy
    ON dxy.canonical_symbol = 'DXY' AND dxy.timeframe = '1m' AND dxy.ts_utc = complete.ts_utc
 WHERE dxy.ts_utc IS NULL
   AND NOT EXISTS (SELECT FROM public.derived_data_bars AS withdrawn
                    WHERE withdrawn.canonical_symbol = 'DXY' AND withdrawn.timeframe = '1m'
                      AND withdrawn.ts_utc = complete.ts_utc AND withdrawn.deleted_at IS NOT NULL)
UNION ALL
SELECT bar.ts_utc, 'does not begin with a minute'
  FROM public.data_bars AS bar
  JOIN span ON bar.ts_utc >= span.starts AND bar.ts_utc <= span.ends
 WHERE bar.canonical_symbol = 'DXY' AND bar.timeframe = '1m' AND bar.ts_utc <> date_trunc('minute', bar.ts_utc);
