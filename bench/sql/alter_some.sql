-- what: changes the close of a hundred rows of the target, spread over history, by very little.
-- why: a comparison that is fast because it sees less would be worth nothing.
-- locks: ROW EXCLUSIVE on data_bars, a hundred rows.
-- timeout: none: nobody else is there.
-- undo: restore_some.sql
UPDATE public.data_bars AS t
   SET close = close + %(by)s
 WHERE t.canonical_symbol = 'DXY' AND t.timeframe = '1m'
   AND t.ts_utc IN (SELECT %(start)s::timestamptz + (n * (%(rows)s::bigint / 100)) * interval '1 minute'
                      FROM generate_series(0, 99) AS n)
