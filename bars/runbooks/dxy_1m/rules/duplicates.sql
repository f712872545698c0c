-- what: minutes of DXY that the signal engine's reader returns twice, among the newest 3000 bars.
-- why: while both tables hold the bars, a reader that unites them without care counts every bar twice.
-- locks: ACCESS SHARE on the tables that the reader reads.
-- timeout: statement 30 s
-- undo: none needed, it reads only.
SELECT bar.ts_utc, format('%s bars of one minute', count(*)) AS detail
  FROM public.signal_bars('DXY', '1m', 3000) AS bar
 GROUP BY bar.ts_utc
HAVING count(*) > 1;
