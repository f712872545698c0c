-- what: seconds by which the 1h aggregation of DXY is behind its schedule.
-- why: its cursor is the start of the next window, which is due when that hour and the delay have passed.
-- locks: ACCESS SHARE on data_agg_state.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT greatest(0, extract(epoch FROM %(now)s::timestamptz - greatest(
           last_agg_bar_ts_utc, date_bin('1 hour', %(open_from)s::timestamptz, 'epoch'))
           - make_interval(mins => run_interval_minutes, secs => aggregation_delay_seconds)))::float8 AS value,
       format('next 1h window of DXY: %%s, task %%s', coalesce(last_agg_bar_ts_utc::text, 'none'), status) AS detail
  FROM public.data_agg_state
 WHERE canonical_symbol = 'DXY' AND timeframe = '1h';
