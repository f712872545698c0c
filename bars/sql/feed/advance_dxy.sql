-- what:  moves the derivation cursor of DXY from `start` to `stop`, in the transaction that derived its bars.
-- why:   no minute is lost or skipped. The old position is named, so of two feeds one is refused.
-- undo:  none: the bars are there.
UPDATE public.data_ingest_state
   SET next_ts_utc = %(stop)s,
       last_bar_ts_utc = greatest(last_bar_ts_utc, %(last_bar)s::timestamptz),
       last_run_at = public.market_now()
 WHERE canonical_symbol = ANY (%(symbols)s) AND timeframe = '1m' AND next_ts_utc = %(start)s
