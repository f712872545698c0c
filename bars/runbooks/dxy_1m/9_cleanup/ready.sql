-- what: both sides hold the same bars, and no task of the aggregation has failed.
-- why: the last look before rows are retired; that the window is whole and the verification clean, the gate has checked.
-- locks: ACCESS SHARE on both tables and data_agg_state.
-- timeout: statement 60 s
-- undo: none needed, it reads only.
SELECT target.n >= source.n AND source.n > 0 AS ok,
       format('active DXY 1m bars: %s in derived_data_bars, %s in data_bars', source.n, target.n) AS message
  FROM (SELECT count(*) AS n
          FROM public.derived_data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL) AS source,
       (SELECT count(*) AS n
          FROM public.data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m') AS target
UNION ALL
SELECT count(*) = 0,
       format('tasks of the aggregation that failed or are disabled: %s', count(*))
  FROM public.data_agg_state
 WHERE status IN ('hard_failed', 'disabled');
