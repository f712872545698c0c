-- what: seconds since the end of the newest 5m window of DXY that was aggregated.
-- why: the aggregator writes a 5m bar shortly after its window closes.
-- locks: ACCESS SHARE on derived_data_bars.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT greatest(0, extract(epoch FROM %(now)s::timestamptz - max(ts_utc) - interval '5 minutes'))::float8 AS value,
       format('newest 5m bar of DXY starts at %%s', coalesce(max(ts_utc)::text, 'none')) AS detail
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '5m' AND deleted_at IS NULL
HAVING count(*) > 0;
