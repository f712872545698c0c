-- what: one 5m bar.
-- why: a client of the original loop calls it for each window.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: aggregation_forget.sql
SELECT public.aggregate_1m_to_5m_window('EURUSD', %(start)s::timestamptz)
