-- what: the aggregation of DXY runs, from 1m to 5m and from 5m to 1h.
-- why: what is broken before the migration would look broken by it; and nothing would show that the new reader works.
-- locks: ACCESS SHARE on data_agg_state.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT coalesce(task.status IN ('idle', 'running') AND task.source_timeframe = wanted.source_timeframe, false) AS ok,
       format('aggregation of DXY %s from %s: %s', wanted.timeframe, wanted.source_timeframe,
              coalesce(task.status || ' from ' || task.source_timeframe
                       || coalesce(', last error ' || task.last_error, ''), 'missing')) AS message
  FROM (VALUES ('5m', '1m'), ('1h', '5m')) AS wanted (timeframe, source_timeframe)
  LEFT JOIN public.data_agg_state AS task
    ON task.canonical_symbol = 'DXY' AND task.timeframe = wanted.timeframe;
