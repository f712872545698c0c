-- what: aggregate the newest settled six hours with the reader as it is now, and compare every 5m bar with the 1m bars.
-- why: proves that each minute is counted once (source_count), and that open, high, low, close and quality are right.
--   Bars are corrected up to 15 minutes late, so the window ends 30 minutes before the newest. It is rolled back.
-- locks: ROW EXCLUSIVE on derived_data_bars and the rows of 72 windows, until the trial is rolled back.
-- timeout: lock 200 ms, statement 10 s
-- undo: none needed, it is rolled back.
CREATE TEMPORARY TABLE trial_window ON COMMIT DROP AS
SELECT date_bin('5 minutes', max(ts_utc) - interval '390 minutes', 'epoch') AS starts,
       date_bin('5 minutes', max(ts_utc) - interval '30 minutes', 'epoch') AS ends
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL;

CREATE TEMPORARY TABLE trial_call ON COMMIT DROP AS
SELECT public.aggregate_1m_to_5m_range('DXY', starts, ends, 1) AS verdict FROM pg_temp.trial_window;

WITH minute AS (
    -- every minute once: both tables may hold it, with equal prices
    SELECT DISTINCT ON (ts_utc) ts_utc, open, high, low, close
      FROM (SELECT ts_utc, open, high, low, close
              FROM public.derived_data_bars
             WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
            UNION
            SELECT ts_utc, open, high, low, close
              FROM public.data_bars
             WHERE canonical_symbol = 'DXY' AND timeframe = '1m') AS either_table
      JOIN pg_temp.trial_window ON ts_utc >= starts AND ts_utc < ends
     ORDER BY ts_utc
), expected AS (
    SELECT date_bin('5 minutes', ts_utc, 'epoch') AS window_start,
           count(*) AS n,
           (array_agg(open ORDER BY ts_utc))[1] AS open,
           max(high) AS high,
           min(low) AS low,
           (array_agg(close ORDER BY ts_utc DESC))[1] AS close
      FROM minute
     GROUP BY window_start
    HAVING count(*) >= 3
), compared AS (
    SELECT count(*) AS bars,
           coalesce(sum(expected.n), 0) AS minutes,
           count(*) FILTER (
               WHERE (stored.open, stored.high, stored.low, stored.close, stored.source_candles, stored.quality_score)
                     IS DISTINCT FROM
                     (expected.open, expected.high, expected.low, expected.close, expected.n,
                      CASE WHEN expected.n >= 5 THEN 2 WHEN expected.n = 4 THEN 1 ELSE 0 END)) AS different
      FROM expected
      LEFT JOIN public.derived_data_bars AS stored
        ON stored.canonical_symbol = 'DXY' AND stored.timeframe = '5m' AND stored.ts_utc = expected.window_start
       AND stored.deleted_at IS NULL
)
SELECT coalesce((trial.verdict ->> 'success')::boolean
                AND (trial.verdict ->> 'source_count')::bigint = compared.minutes
                AND compared.bars > 0 AND compared.different = 0, false) AS ok,
       compared.bars,
       compared.minutes,
       compared.different,
       trial.verdict
  FROM pg_temp.trial_call AS trial, compared;
