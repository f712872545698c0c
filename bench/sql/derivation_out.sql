-- what: the closes of the six pairs, out.
-- why: a program that computes elsewhere has to have them there.
-- locks: ACCESS SHARE on data_bars.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
COPY (SELECT canonical_symbol, ts_utc, close
        FROM public.data_bars
       WHERE canonical_symbol IN ('EURUSD', 'USDJPY', 'GBPUSD', 'USDCAD', 'USDSEK', 'USDCHF') AND timeframe = '1m'
         AND close > 0 AND close < 'infinity')
TO STDOUT (FORMAT csv)
