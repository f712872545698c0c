-- what: seconds since the newest 1m bar of DXY; just after the market opened, the panel counts from the opening.
-- why: the feed writes one bar a minute; a bar's time is its own, not that of its copy, so copied rows never look new.
-- locks: ACCESS SHARE on data_bars.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT extract(epoch FROM %(now)s::timestamptz - max(ts_utc))::float8 AS value,
       format('newest 1m bar of DXY: %%s', coalesce(max(ts_utc)::text, 'none')) AS detail
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
HAVING count(*) > 0;
