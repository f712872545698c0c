-- what: minutes of the last hour, since the switch, that have all six components and no bar of DXY; shown are those
--   that have one.
-- why: counts what was written since the switch, against what could be written: gaps of the provider are no fault, copied
--   history counts for nothing, and a component that came after DXY was last derived is not due yet.
-- locks: ACCESS SHARE on data_bars.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
WITH newest AS (
    SELECT ts_utc, ingested_at
      FROM public.data_bars
     WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
     ORDER BY ts_utc DESC
     LIMIT 1
), span AS (
    SELECT greatest(ts_utc - interval '1 hour', %(switched_at)s::timestamptz) AS starts, ts_utc AS ends,
           ingested_at AS derived_at
      FROM newest
), complete AS (
    SELECT component.ts_utc
      FROM public.data_bars AS component
      JOIN span ON component.ts_utc > span.starts AND component.ts_utc <= span.ends
     WHERE component.canonical_symbol IN ('EURUSD', 'USDJPY', 'GBPUSD', 'USDCAD', 'USDSEK', 'USDCHF')
       AND component.timeframe = '1m' AND component.close > 0 AND component.close < 'infinity'
       AND component.ingested_at <= span.derived_at
     GROUP BY component.ts_utc
    HAVING count(*) = 6
)
SELECT count(complete.ts_utc) FILTER (WHERE dxy.ts_utc IS NULL) AS value,
       count(dxy.ts_utc) AS shown,
       format('%%s bars of DXY for %%s minutes with all components, after %%s up to %%s', count(dxy.ts_utc),
              count(complete.ts_utc), span.starts, span.ends) AS detail
  FROM span
  LEFT JOIN complete ON true
  LEFT JOIN public.data_bars AS dxy
    ON dxy.canonical_symbol = 'DXY' AND dxy.timeframe = '1m' AND dxy.ts_utc = complete.ts_utc
 GROUP BY span.starts, span.ends;
