-- what: errors in ops_runlog since the check before; in the first round, of the interval before it.
-- why: feed, aggregator and signal engine write there what they could not do. No check came before the first one, and an
--   error of the window's first hour counts like any other.
-- locks: ACCESS SHARE on ops_runlog.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT count(*) AS value,
       coalesce(string_agg(format('%%s: %%s', component, message), '; ' ORDER BY market_ts DESC), 'no new error') AS detail
  FROM (SELECT component, message, market_ts
          FROM public.ops_runlog
         WHERE level = 'error' AND market_ts > coalesce(%(since)s::timestamptz, %(period_from)s::timestamptz)
         ORDER BY market_ts DESC
         LIMIT 20) AS newest;
