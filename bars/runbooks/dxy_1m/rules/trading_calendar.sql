-- what: DXY bars of minutes in which the market is closed: outside Sunday 22:00 to Friday 22:00 UTC.
-- why: nothing trades then, so such a bar was invented, or has a wrong time.
-- locks: ACCESS SHARE on data_bars.
-- timeout: statement 30 s
-- undo: none needed, it reads only.
SELECT ts_utc, format('%%s, %%s UTC', to_char(ts_utc AT TIME ZONE 'UTC', 'Dy'), to_char(ts_utc AT TIME ZONE 'UTC', 'HH24:MI')) AS detail
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
   AND ts_utc >= coalesce(%(lo)s, '-infinity') AND ts_utc <= coalesce(%(hi)s, 'infinity')
   -- minutes since a Sunday 22:00; a week has 10080, an open session 7200
   AND (floor(extract(epoch FROM ts_utc) / 60)::bigint - 5640) %% 10080 >= 7200;
