-- what: seconds by which the newest 1m bar of DXY lies behind the newest minute that all six components have.
-- why: while the market is closed nothing new can come, but what came must have been derived. Without any bar of DXY
--   there is no lag to measure, and the check fails.
-- locks: ACCESS SHARE on data_bars.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT CASE WHEN dxy.newest IS NOT NULL
            THEN greatest(extract(epoch FROM component.newest - dxy.newest), 0)::float8 END AS value,
       format('newest 1m bar of DXY: %%s; newest minute with all components: %%s', dxy.newest, component.newest) AS detail
  FROM (SELECT max(ts_utc) AS newest
          FROM public.data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m') AS dxy,
       (SELECT max(ts_utc) AS newest
          FROM (SELECT ts_utc
                  FROM public.data_bars
                 WHERE canonical_symbol IN ('EURUSD', 'USDJPY', 'GBPUSD', 'USDCAD', 'USDSEK', 'USDCHF')
                   AND timeframe = '1m' AND close > 0 AND close < 'infinity'
                   AND ts_utc > %(now)s::timestamptz - interval '4 days'
                 GROUP BY ts_utc
                HAVING count(*) = 6) AS complete) AS component;
