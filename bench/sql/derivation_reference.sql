-- what: what DXY has to be in every minute, by the formula, in a table beside.
-- why: ways that come to other values, or to fewer, are not compared.
-- locks: none that matters: the table is new.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
CREATE TABLE public.reference AS
SELECT ts_utc,
       50.14348112 * exp(sum(CASE canonical_symbol WHEN 'EURUSD' THEN -0.576 WHEN 'USDJPY' THEN 0.136
                                                   WHEN 'GBPUSD' THEN -0.119 WHEN 'USDCAD' THEN 0.091
                                                   WHEN 'USDSEK' THEN 0.042 WHEN 'USDCHF' THEN 0.036 END * ln(close))) AS price
  FROM public.data_bars
 WHERE timeframe = '1m'
 GROUP BY ts_utc
