-- what: how many bars there are on either side, and between which times.
-- why: the numbers that the end of the run is compared with.
-- locks: ACCESS SHARE on both tables.
-- timeout: statement 60 s
-- undo: none needed, it reads only.
SELECT source.active AS source_active,
       source.withdrawn AS source_withdrawn,
       source.first_bar AS source_first_bar,
       source.last_bar AS source_last_bar,
       target.n AS target_rows,
       aggregated.bars_5m,
       aggregated.bars_1h
  FROM (SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS active,
               count(*) FILTER (WHERE deleted_at IS NOT NULL) AS withdrawn,
               min(ts_utc) FILTER (WHERE deleted_at IS NULL) AS first_bar,
               max(ts_utc) FILTER (WHERE deleted_at IS NULL) AS last_bar
          FROM public.derived_data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m') AS source,
       (SELECT count(*) AS n
          FROM public.data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m') AS target,
       (SELECT count(*) FILTER (WHERE timeframe = '5m') AS bars_5m,
               count(*) FILTER (WHERE timeframe = '1h') AS bars_1h
          FROM public.derived_data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe IN ('5m', '1h') AND deleted_at IS NULL) AS aggregated;
