-- what: call the new function over the last settled open hour; read its verdict; compare its bars with the formula and the range.
-- why: health check (a). That a call came back says nothing; its own verdict and its rows do. The formula is written here
--   a second time, by logarithms, so that an error in the function's product cannot hide. Bars are corrected up to 15 minutes late,
--   so the hour ends 30 minutes before the newest bar. The call is rolled back.
-- locks: ROW EXCLUSIVE on data_bars and the rows of one hour, until the trial is rolled back.
-- timeout: lock 200 ms, statement 10 s
-- undo: none needed, it is rolled back.
CREATE TEMPORARY TABLE trial_window ON COMMIT DROP AS
SELECT max(ts_utc) - interval '90 minutes' AS starts, max(ts_utc) - interval '30 minutes' AS ends
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m';

CREATE TEMPORARY TABLE trial_call ON COMMIT DROP AS
SELECT public.calc_dxy_range_1m(starts, ends, 1) AS verdict FROM pg_temp.trial_window;

WITH weight (symbol, exponent) AS (
    VALUES ('EURUSD', -0.576::float8), ('USDJPY', 0.136), ('GBPUSD', -0.119), ('USDCAD', 0.091),
           ('USDSEK', 0.042), ('USDCHF', 0.036)
), formula AS (
    SELECT bar.ts_utc, 50.14348112 * exp(sum(weight.exponent * ln(bar.close))) AS price
      FROM public.data_bars AS bar
      JOIN weight ON weight.symbol = bar.canonical_symbol
      JOIN pg_temp.trial_window ON bar.ts_utc >= starts AND bar.ts_utc < ends
     WHERE bar.timeframe = '1m' AND bar.close > 0 AND bar.close < 'infinity'
     GROUP BY bar.ts_utc
    HAVING count(*) = 6
), compared AS (
    SELECT count(*) AS bars,
           count(*) FILTER (WHERE dxy.close IS NULL OR abs(dxy.close / formula.price - 1) > 1e-12) AS different,
           count(*) FILTER (WHERE dxy.close NOT BETWEEN %(price_low)s AND %(price_high)s) AS out_of_range,
           min(dxy.close) AS lowest,
           max(dxy.close) AS highest
      FROM formula
      LEFT JOIN public.data_bars AS dxy
        ON dxy.canonical_symbol = 'DXY' AND dxy.timeframe = '1m' AND dxy.ts_utc = formula.ts_utc
)
SELECT coalesce((trial.verdict ->> 'success')::boolean AND (trial.verdict ->> 'upserted')::bigint = compared.bars
                AND compared.bars > 0 AND compared.different = 0 AND compared.out_of_range = 0, false) AS ok,
       compared.bars,
       compared.different,
       compared.out_of_range,
       compared.lowest,
       compared.highest,
       trial.verdict
  FROM pg_temp.trial_call AS trial, compared;
