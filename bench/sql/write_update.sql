-- what: bars of one series in a stretch of time get another close, in one statement.
-- why: what a correction does to the source, in batches of a size.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: forget_written.sql
UPDATE public.derived_data_bars
   SET close = close + 0.25, quality_score = 1
 WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s AND deleted_at IS NULL
   AND ts_utc >= %(from)s::timestamptz
   AND ts_utc < %(from)s::timestamptz + %(bars)s::bigint * interval '1 minute'
