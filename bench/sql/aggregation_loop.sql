-- what: every 5m bar of a range, then every 1h bar of it, one call for each window, in the server. A block has no
--   parameters: the range comes in settings of the session.
-- why: the baseline: the original loop, where no round trips are to blame.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: aggregation_forget.sql
DO $block$
DECLARE
    v_from  timestamptz := current_setting('bench.from');
    v_to    timestamptz := current_setting('bench.to');
    v_start timestamptz;
BEGIN
    FOR v_start IN SELECT generate_series(v_from, v_to - interval '1 second', interval '5 minutes') LOOP
        PERFORM public.aggregate_1m_to_5m_window('EURUSD', v_start);
    END LOOP;
    FOR v_start IN SELECT generate_series(v_from, v_to - interval '1 second', interval '1 hour') LOOP
        PERFORM public.aggregate_5m_to_1h_window('EURUSD', v_start);
    END LOOP;
END
$block$
