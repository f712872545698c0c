-- what:  the aggregator's calls: catchup_aggregation_range, agg_bootstrap_cursor, agg_get_due_tasks, agg_start, agg_finish.
-- why:   the aggregator asks what is due, claims it, aggregates a range, and records how it went.
-- rule:  data_agg_state.last_agg_bar_ts_utc is the start of the next window. It moves only in agg_finish after a
--        success. A task whose aggregation itself fails three times in a row is hard_failed when mandatory, else disabled;
--        passing trouble (a lock, a lost connection) does not count. A task left running for three intervals is due again.
-- undo:  DROP FUNCTION of each.
CREATE FUNCTION public.catchup_aggregation_range(
    p_symbol text, p_timeframe text, p_from timestamptz, p_to timestamptz, p_version integer DEFAULT 1
) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
BEGIN
    CASE p_timeframe
        WHEN '5m' THEN RETURN public.aggregate_1m_to_5m_range(p_symbol, p_from, p_to, p_version);
        WHEN '1h' THEN RETURN public.aggregate_5m_to_1h_range(p_symbol, p_from, p_to, p_version);
        ELSE RETURN jsonb_build_object(
            'success', false, 'stored', 0, 'source_count', 0, 'sqlstate', '22023',
            'error', format('no aggregation makes %s bars', coalesce(p_timeframe, 'NULL')));
    END CASE;
END
$function$;

CREATE FUNCTION public.agg_bootstrap_cursor(p_symbol text, p_timeframe text) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_task   public.data_agg_state;
    v_cursor timestamptz;
BEGIN
    SELECT * INTO v_task FROM public.data_agg_state
     WHERE canonical_symbol = p_symbol AND timeframe = p_timeframe FOR UPDATE;
    IF NOT FOUND OR v_task.last_agg_bar_ts_utc IS NOT NULL THEN
        RETURN v_task.last_agg_bar_ts_utc;
    END IF;
    -- go on after the newest bar that is there; without one, start at the first bar of the source
    SELECT max(ts_utc) + make_interval(mins => v_task.run_interval_minutes) INTO v_cursor
      FROM public.derived_data_bars
     WHERE canonical_symbol = p_symbol AND timeframe = p_timeframe AND deleted_at IS NULL;
    IF v_cursor IS NULL THEN
        SELECT date_bin(make_interval(mins => v_task.run_interval_minutes), min(ts_utc), 'epoch') INTO v_cursor
          FROM (SELECT ts_utc FROM public.data_bars
                 WHERE canonical_symbol = p_symbol AND timeframe = v_task.source_timeframe
                UNION ALL
                SELECT ts_utc FROM public.derived_data_bars
                 WHERE canonical_symbol = p_symbol AND timeframe = v_task.source_timeframe
                   AND deleted_at IS NULL) AS source;
    END IF;
    UPDATE public.data_agg_state SET last_agg_bar_ts_utc = v_cursor
     WHERE canonical_symbol = p_symbol AND timeframe = p_timeframe;
    RETURN v_cursor;
END
$function$;

CREATE FUNCTION public.agg_get_due_tasks(p_limit integer DEFAULT 50) RETURNS SETOF public.data_agg_state
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
    SELECT task.*
      FROM public.data_agg_state AS task
      JOIN public.core_asset_registry_all AS asset USING (canonical_symbol)
     WHERE asset.active
       AND (task.status = 'idle' AND task.next_run_at <= public.market_now()
            OR task.status = 'running'
               AND task.last_attempted_at
                   < public.market_now() - 3 * make_interval(mins => task.run_interval_minutes))
     -- short timeframes first: the longer ones read what they write
     ORDER BY task.run_interval_minutes, task.next_run_at, task.canonical_symbol
     LIMIT p_limit
$function$;

CREATE FUNCTION public.agg_start(p_symbol text, p_timeframe text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
BEGIN
    UPDATE public.data_agg_state
       SET status = 'running', last_attempted_at = public.market_now()
     WHERE canonical_symbol = p_symbol AND timeframe = p_timeframe
       AND (status = 'idle'
            OR status = 'running'
               AND last_attempted_at < public.market_now() - 3 * make_interval(mins => run_interval_minutes));
    RETURN FOUND;
END
$function$;

CREATE FUNCTION public.agg_finish(
    p_symbol text, p_timeframe text, p_success boolean, p_cursor timestamptz,
    p_error text DEFAULT NULL, p_hard boolean DEFAULT false
) RETURNS text
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
    UPDATE public.data_agg_state
       SET status = CASE WHEN p_success OR NOT p_hard OR hard_fail_streak < 2 THEN 'idle'
                         WHEN is_mandatory THEN 'hard_failed' ELSE 'disabled' END,
           hard_fail_streak = CASE WHEN p_success THEN 0 WHEN p_hard THEN hard_fail_streak + 1
                                   ELSE hard_fail_streak END,
           last_agg_bar_ts_utc = CASE WHEN p_success THEN p_cursor ELSE last_agg_bar_ts_utc END,
           last_successful_at = CASE WHEN p_success THEN public.market_now() ELSE last_successful_at END,
           last_error = CASE WHEN p_success THEN NULL ELSE p_error END,
           -- when the next window closes; where the source lags behind, or after trouble, a little later
           next_run_at = CASE WHEN p_success THEN greatest(
                              p_cursor + make_interval(mins => run_interval_minutes,
                                                       secs => aggregation_delay_seconds),
                              public.market_now() + interval '10 seconds')
                         ELSE public.market_now() + interval '1 minute' END
     WHERE canonical_symbol = p_symbol AND timeframe = p_timeframe AND status = 'running'
    RETURNING status
$function$;
