-- what: every 5m bar of a range, then every 1h bar of it, each in one call.
-- why: how the aggregator catches up.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: aggregation_forget.sql
SELECT public.aggregate_1m_to_5m_range('EURUSD', %(from)s::timestamptz, %(to)s::timestamptz) ->> 'success',
       public.aggregate_5m_to_1h_range('EURUSD', %(from)s::timestamptz, %(to)s::timestamptz) ->> 'success'
