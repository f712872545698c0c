-- what:  the aggregation tasks that are due, each with its cursor and how far whole windows of its source reach.
-- why:   a window may be made when the clock is past its end and its source has been written that far; a task on 1m
--        bars looks at the ingest cursor, a longer one at the cursor of the task that it reads from.
SELECT task.canonical_symbol, task.timeframe, task.last_agg_bar_ts_utc,
       date_bin(make_interval(mins => task.run_interval_minutes),
                least(public.market_now() - make_interval(secs => task.aggregation_delay_seconds),
                      coalesce(ingest.next_ts_utc, source.last_agg_bar_ts_utc)),
                'epoch') AS reach
  FROM public.agg_get_due_tasks(100) WITH ORDINALITY AS task
  LEFT JOIN public.data_ingest_state AS ingest
    ON ingest.canonical_symbol = task.canonical_symbol AND ingest.timeframe = task.source_timeframe
  LEFT JOIN public.data_agg_state AS source
    ON source.canonical_symbol = task.canonical_symbol AND source.timeframe = task.source_timeframe
 ORDER BY task.ordinality
