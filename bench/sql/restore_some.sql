-- what: gives the rows of alter_some.sql the close of their source rows back.
-- why: what is timed afterwards is the comparison of equal sides.
-- locks: ROW EXCLUSIVE on data_bars, a hundred rows.
-- timeout: none: nobody else is there.
-- undo: alter_some.sql
UPDATE public.data_bars AS t
   SET close = s.close
  FROM public.derived_data_bars AS s
 WHERE t.canonical_symbol = 'DXY' AND t.timeframe = '1m'
   AND s.canonical_symbol = 'DXY' AND s.timeframe = '1m' AND s.deleted_at IS NULL AND s.ts_utc = t.ts_utc
   AND t.ts_utc IN (SELECT %(start)s::timestamptz + (n * (%(rows)s::bigint / 100)) * interval '1 minute'
                      FROM generate_series(0, 99) AS n)
