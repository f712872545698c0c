-- what: the same bars as in write_update.sql, in the target.
-- why: what an application would do that writes both tables by itself; dual-write is measured against it.
-- locks: ROW EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: empty_target.sql
UPDATE public.data_bars
   SET close = close + 0.25, raw = raw || '{"quality_score": 1}'
 WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s
   AND ts_utc >= %(from)s::timestamptz
   AND ts_utc < %(from)s::timestamptz + %(bars)s::bigint * interval '1 minute'
