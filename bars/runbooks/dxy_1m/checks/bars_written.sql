-- what: minutes of the last hour, since the switch, that have all six components and no bar of DXY.
-- why: counts what was written since the switch, against what could be written: gaps of the provider are no fault, copied
--   history counts for nothing, and a minute that has not been derived yet is the staleness check's business.
-- locks: ACCESS SHARE on data_bars.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT count(complete.ts_utc) FILTER (WHERE dxy.ts_utc IS NULL) AS value,
       format('%%s bars of DXY for %%s minutes with all components, after %%s up to %%s', count(dxy.ts_utc),
              count(complete.ts_utc), span.starts, span.ends) AS detail
  FROM (SELECT greatest(newest - interval '1 hour', %(switched_at)s::timestamptz) AS starts, newest AS ends
          FROM (SELECT max(ts_utc) AS newest
                  FROM public.data_bars
                 WHERE canonical_symbol = 'DXY' AND timeframe = '1m') AS last_bar) AS span
  LEFT JOIN LATERAL (
        SELECT component.ts_utc
          FROM public.data_bars AS component
         WHERE component.canonical_symbol IN ('EURUSD', 'USDJPY', 'GBPUSD', 'USDCAD', 'USDSEK', 'USDCHF')
           AND component.timeframe = '1m' AND component.close > 0 AND component.close < 'infinity'
           AND component.ts_utc > span.starts AND component.ts_utc <= span.ends
         GROUP BY component.ts_utc
        HAVING count(*) = 6) AS complete ON true
  LEFT JOIN public.data_bars AS dxy
    ON dxy.canonical_symbol = 'DXY' AND dxy.timeframe = '1m' AND dxy.ts_utc = complete.ts_utc
 GROUP BY span.starts, span.ends;
