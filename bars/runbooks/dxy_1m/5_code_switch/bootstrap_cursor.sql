-- what: agg_bootstrap_cursor looks for a symbol's first source bar in one table: 1m in data_bars, others in
--   derived_data_bars.
-- why: the second of the two functions that read 1m bars from both tables.
-- locks: none on tables; calls that are running finish with the old body.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image: the old function comes back. It takes the earliest bar of both tables, so duplicates never
--   misled it.
CREATE OR REPLACE FUNCTION public.agg_bootstrap_cursor(p_symbol text, p_timeframe text) RETURNS timestamptz
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
    IF v_cursor IS NULL AND v_task.source_timeframe = '1m' THEN
        SELECT date_bin(make_interval(mins => v_task.run_interval_minutes), min(ts_utc), 'epoch') INTO v_cursor
          FROM public.data_bars
         WHERE canonical_symbol = p_symbol AND timeframe = '1m';
    ELSIF v_cursor IS NULL THEN
        SELECT date_bin(make_interval(mins => v_task.run_interval_minutes), min(ts_utc), 'epoch') INTO v_cursor
          FROM public.derived_data_bars
         WHERE canonical_symbol = p_symbol AND timeframe = v_task.source_timeframe AND deleted_at IS NULL;
    END IF;
    UPDATE public.data_agg_state SET last_agg_bar_ts_utc = v_cursor
     WHERE canonical_symbol = p_symbol AND timeframe = p_timeframe;
    RETURN v_cursor;
END
$function$;
