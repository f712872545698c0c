-- what: signal_bars, as it is now, gives the newest day of DXY 1m bars: no minute twice, none left out, no foreign value.
-- why: the signal engine reads through it before, during and after the copy. Bars are corrected up to 15 minutes late, and
--   a mirror that yielded follows later, so the newest 30 minutes may lag; they may not come twice. The function is
--   STABLE: it sees the snapshot of this statement, so bars that are written meanwhile make no difference.
-- locks: ACCESS SHARE on both tables.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
WITH seen AS MATERIALIZED (
    SELECT ts_utc, open, high, low, close FROM public.signal_bars('DXY', '1m', 1440)
), span AS (
    SELECT min(ts_utc) AS starts, max(ts_utc) - interval '30 minutes' AS ends FROM seen
), held AS MATERIALIZED (
    SELECT ts_utc, open, high, low, close
      FROM public.derived_data_bars
      JOIN span ON ts_utc >= starts
     WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
    UNION
    SELECT ts_utc, open, high, low, close
      FROM public.data_bars
      JOIN span ON ts_utc >= starts
     WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
), counted AS (
    SELECT (SELECT count(*) FROM seen) AS bars,
           (SELECT count(*) - count(DISTINCT ts_utc) FROM seen) AS doubled,
           (SELECT count(DISTINCT held.ts_utc)
              FROM held
              JOIN span ON held.ts_utc < span.ends
             WHERE NOT EXISTS (SELECT FROM seen WHERE seen.ts_utc = held.ts_utc)) AS missing,
           (SELECT count(*) FROM (SELECT * FROM seen EXCEPT SELECT * FROM held) AS foreign_bar) AS different
)
SELECT bars > 0 AND doubled = 0 AND missing = 0 AND different = 0 AS ok,
       format('signal_bars of DXY 1m: %s bars, %s of them doubled, %s minutes missing, %s different', bars, doubled,
              missing, different) AS message
  FROM counted;
