-- what:  nobody but the owner and its members may call the functions or touch the tables.
-- why:   the functions run with their owner's rights (SECURITY DEFINER); EXECUTE for PUBLIC, which PostgreSQL grants by
--        default, would hand those rights to every login.
-- undo:  GRANT EXECUTE ON FUNCTION ... TO PUBLIC.
REVOKE EXECUTE ON FUNCTION
    public.set_updated_at(),
    public.market_now(),
    public.calc_dxy_range_derived(timestamptz, timestamptz, text, integer),
    public.aggregate_1m_to_5m_range(text, timestamptz, timestamptz, integer),
    public.aggregate_1m_to_5m_window(text, timestamptz, integer),
    public.aggregate_5m_to_1h_range(text, timestamptz, timestamptz, integer),
    public.aggregate_5m_to_1h_window(text, timestamptz, integer),
    public.catchup_aggregation_range(text, text, timestamptz, timestamptz, integer),
    public.agg_bootstrap_cursor(text, text),
    public.agg_get_due_tasks(integer),
    public.agg_start(text, text),
    public.agg_finish(text, text, boolean, timestamptz, text, boolean),
    public.signal_bars(text, text, integer)
FROM PUBLIC;
