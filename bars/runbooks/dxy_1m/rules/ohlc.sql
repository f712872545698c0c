-- what: DXY bars whose prices contradict each other: low above open or close, high below them, or no price at all.
-- why: such a bar was not made of one market.
-- locks: ACCESS SHARE on data_bars.
-- timeout: statement 30 s
-- undo: none needed, it reads only.
SELECT ts_utc, format('open %%s, high %%s, low %%s, close %%s', open, high, low, close) AS detail
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
   AND ts_utc >= coalesce(%(lo)s, '-infinity') AND ts_utc <= coalesce(%(hi)s, 'infinity')
   -- IS NOT TRUE: a price that is missing decides nothing
   AND (low <= open AND low <= close AND high >= open AND high >= close AND low > 0 AND high < 'infinity') IS NOT TRUE;
