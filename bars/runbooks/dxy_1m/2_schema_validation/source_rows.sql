-- what: DXY is the only symbol whose 1m bars are derived, and each active bar of it has what data_bars wants.
-- why: from phase 5 on, 1m bars are read from data_bars alone: another derived 1m symbol would vanish from its
--   aggregates. A bar with an impossible price would be carried over as it is.
-- locks: ACCESS SHARE on derived_data_bars.
-- timeout: statement 60 s
-- undo: none needed, it reads only.
SELECT count(*) FILTER (WHERE canonical_symbol <> 'DXY') = 0 AS ok,
       coalesce('other symbols with active derived 1m bars: '
                || string_agg(DISTINCT canonical_symbol, ', ') FILTER (WHERE canonical_symbol <> 'DXY'),
                'only DXY has active derived 1m bars') AS message
  FROM public.derived_data_bars
 WHERE timeframe = '1m' AND deleted_at IS NULL
UNION ALL
SELECT count(*) = 0,
       format('active DXY 1m bars that are not on the minute, or whose low, open, close, high are out of order or not '
              'positive numbers: %s%s', count(*), coalesce(', first at ' || min(ts_utc), ''))
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
   AND (ts_utc <> date_trunc('minute', ts_utc)
        OR NOT (low > 0 AND low <= least(open, close) AND greatest(open, close) <= high AND high < 'infinity'));
