-- what: how old the newest DXY one-minute bar is.
-- why: the first question in the night.
-- locks: ACCESS SHARE on the tables named.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT now() - max(ts_utc) AS age
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m';
