-- what: bars that the new table lacks, bars that only it has, and bars of which a price differs.
-- why: a look by hand, while the panel's own verification cannot be asked.
-- locks: ACCESS SHARE on the tables named.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT count(*) FILTER (WHERE t.id IS NULL) AS missing, count(*) FILTER (WHERE s.id IS NULL) AS extra,
       count(*) FILTER (WHERE s.id > 0 AND t.id > 0 AND (s.open, s.high, s.low, s.close)
                        IS DISTINCT FROM (t.open, t.high, t.low, t.close)) AS different
  FROM (SELECT * FROM public.derived_data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL) AS s
  FULL JOIN (SELECT * FROM public.data_bars WHERE canonical_symbol = 'DXY' AND timeframe = '1m') AS t
 USING (ts_utc);
