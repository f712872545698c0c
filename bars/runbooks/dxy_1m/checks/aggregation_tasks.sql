-- what: aggregation tasks that failed for good or were disabled.
-- why: a disabled task stays silent; nobody would miss its bars before they are needed.
-- locks: ACCESS SHARE on data_agg_state.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT count(*) AS value,
       coalesce(string_agg(format('%s %s %s', canonical_symbol, timeframe, status), ', '),
                'all aggregation tasks run') AS detail
  FROM public.data_agg_state
 WHERE status IN ('hard_failed', 'disabled');
