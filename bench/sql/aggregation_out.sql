-- what: the 1m bars, out.
-- why: a program that computes elsewhere has to have them there.
-- locks: ACCESS SHARE on data_bars.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
COPY (SELECT ts_utc, open, high, low, close, vol, vwap, trade_count
        FROM public.data_bars
       WHERE canonical_symbol = 'EURUSD' AND timeframe = '1m'
       ORDER BY ts_utc)
TO STDOUT (FORMAT csv)
