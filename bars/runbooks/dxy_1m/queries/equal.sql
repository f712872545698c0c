-- what: bars that the new table lacks, and bars whose close differs.
-- why: a look by hand, while the panel's own verification cannot be asked.
-- locks: ACCESS SHARE on the tables named.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT count(*) FILTER (WHERE t.id IS NULL) AS missing,
       count(*) FILTER (WHERE s.close <> t.close) AS different
  FROM public.derived_data_bars s
  LEFT JOIN public.data_bars t USING (canonical_symbol, timeframe, ts_utc)
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
   AND s.deleted_at IS NULL;
