-- what:  the minute at which history has to start so that exactly `rows` active DXY bars end before `stop_minute`.
-- why:   `load --rows N` promises N; withdrawn minutes, gaps and closed hours give none.
-- note:  the series in the select list streams, so LIMIT stops it; in FROM it would be materialised.
SELECT min(minute)
  FROM (SELECT minute
          FROM (SELECT generate_series(%(stop_minute)s::bigint - 1, 0, -1) AS minute OFFSET 0) AS back
         WHERE pg_temp.fx_open(minute)
           AND pg_temp.missing_pair(%(seed)s::bigint, minute) = 0
           AND (minute >= %(settled_minute)s::bigint OR pg_temp.dxy_fate(%(seed)s::bigint, minute) <> 'withdrawn')
         LIMIT %(rows)s::bigint) AS counted
