-- what: derive the newest settled hour with the old and with the new function, and compare every bar of it.
-- why: both must report success, and agree to the last bit, before anything depends on the new one. Bars are corrected up
--   to 15 minutes late, so the hour ends 30 minutes before the newest bar. The whole trial is rolled back.
-- locks: ROW EXCLUSIVE on both tables and the rows of one hour, until the trial is rolled back.
-- timeout: lock 200 ms, statement 10 s
-- undo: none needed, it is rolled back.
CREATE TEMPORARY TABLE trial_window ON COMMIT DROP AS
SELECT max(ts_utc) - interval '90 minutes' AS starts, max(ts_utc) - interval '30 minutes' AS ends
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL;

CREATE TEMPORARY TABLE trial_old ON COMMIT DROP AS
SELECT public.calc_dxy_range_derived(starts, ends, '1m', 1) AS verdict FROM pg_temp.trial_window;

CREATE TEMPORARY TABLE trial_new ON COMMIT DROP AS
SELECT public.calc_dxy_range_1m(starts, ends, 1) AS verdict FROM pg_temp.trial_window;

SELECT coalesce((old_call.verdict ->> 'success')::boolean AND (new_call.verdict ->> 'success')::boolean
                AND compared.bars > 0 AND compared.different = 0, false) AS ok,
       compared.bars,
       compared.different,
       old_call.verdict AS old_verdict,
       new_call.verdict AS new_verdict
  FROM pg_temp.trial_old AS old_call,
       pg_temp.trial_new AS new_call,
       (SELECT count(*) AS bars,
               count(*) FILTER (
                   WHERE (new_bar.open, new_bar.high, new_bar.low, new_bar.close, new_bar.is_partial)
                         IS DISTINCT FROM
                         (old_bar.open, old_bar.high, old_bar.low, old_bar.close, old_bar.is_partial)) AS different
          FROM (SELECT bar.*
                  FROM public.derived_data_bars AS bar
                  JOIN pg_temp.trial_window ON bar.ts_utc >= starts AND bar.ts_utc < ends
                 WHERE bar.canonical_symbol = 'DXY' AND bar.timeframe = '1m' AND bar.deleted_at IS NULL) AS old_bar
          FULL JOIN (SELECT bar.*
                       FROM public.data_bars AS bar
                       JOIN pg_temp.trial_window ON bar.ts_utc >= starts AND bar.ts_utc < ends
                      WHERE bar.canonical_symbol = 'DXY' AND bar.timeframe = '1m') AS new_bar
            ON new_bar.ts_utc = old_bar.ts_utc) AS compared;
