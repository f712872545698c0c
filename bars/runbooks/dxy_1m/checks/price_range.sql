-- what: the newest close of DXY.
-- why: an index outside its plausible range means a wrong component or a wrong formula.
-- locks: ACCESS SHARE on data_bars.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT close AS value,
       format('close of %s', ts_utc) AS detail
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
 ORDER BY ts_utc DESC
 LIMIT 1;
