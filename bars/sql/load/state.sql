-- what:  cursors of ingest (1m) and aggregation (5m, 1h) for every symbol, all at the end of the loaded data.
-- why:   feed and aggregator go on exactly where the loaded history ends.
-- note:  DXY must be aggregated (is_mandatory); for the pairs it is a convenience.
-- undo:  none: a loaded database is dropped as a whole.
WITH ingest AS (
    INSERT INTO public.data_ingest_state (canonical_symbol, timeframe, next_ts_utc, last_bar_ts_utc, last_run_at)
    SELECT canonical_symbol, '1m', %(stop)s::timestamptz, NULL, public.market_now()
      FROM public.core_asset_registry_all
)
INSERT INTO public.data_agg_state (
    canonical_symbol, timeframe, source_timeframe, run_interval_minutes, aggregation_delay_seconds,
    last_agg_bar_ts_utc, is_mandatory, next_run_at, last_successful_at
)
SELECT canonical_symbol, task.timeframe, task.source_timeframe, task.minutes, task.delay_seconds,
       date_bin(make_interval(mins => task.minutes), %(stop)s::timestamptz, 'epoch'), canonical_symbol = 'DXY',
       date_bin(make_interval(mins => task.minutes), %(stop)s::timestamptz, 'epoch')
           + make_interval(mins => task.minutes, secs => task.delay_seconds),
       public.market_now()
  FROM public.core_asset_registry_all
 CROSS JOIN (VALUES ('5m', '1m', 5, 10), ('1h', '5m', 60, 30))
       AS task (timeframe, source_timeframe, minutes, delay_seconds)
