-- what: of the bars written in a stretch of time, how many the source has, and how many the target has with the same close.
-- why: a mirror that is fast because it mirrors less would be worth nothing.
-- locks: ACCESS SHARE on both tables.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
SELECT count(*), count(t.id)
  FROM public.derived_data_bars AS s
  LEFT JOIN public.data_bars AS t
    ON t.canonical_symbol = s.canonical_symbol AND t.timeframe = s.timeframe AND t.ts_utc = s.ts_utc
   AND t.close = s.close
 WHERE s.canonical_symbol = %(symbol)s AND s.timeframe = %(timeframe)s AND s.deleted_at IS NULL
   AND s.ts_utc >= %(from)s::timestamptz AND s.ts_utc < %(until)s::timestamptz
