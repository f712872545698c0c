-- what: one 1h bar.
-- why: a client of the original loop calls it for each window.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: aggregation_forget.sql
SELECT public.aggregate_5m_to_1h_window('EURUSD', %(start)s::timestamptz)
