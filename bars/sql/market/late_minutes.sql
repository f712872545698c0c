-- what:  the minutes before [start_minute, stop_minute) whose DXY bar has to be derived again.
-- why:   a pair's bar of that minute arrived or was corrected late.
SELECT DISTINCT minute
  FROM pg_temp.late_bars(%(seed)s::bigint, %(start_minute)s::bigint, %(stop_minute)s::bigint)
 ORDER BY minute
