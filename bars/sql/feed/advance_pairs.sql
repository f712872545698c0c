-- what:  moves the ingest cursor of the pairs from `start` to `stop`, in the transaction that wrote their bars.
-- why:   no minute is lost or skipped. The old position is named, so of two feeds one is refused.
-- undo:  none: the bars are there.
UPDATE public.data_ingest_state AS state
   SET next_ts_utc = %(stop)s,
       last_bar_ts_utc = coalesce(
           (SELECT max(ts_utc) FROM public.data_bars AS bar
             WHERE bar.canonical_symbol = state.canonical_symbol AND bar.timeframe = '1m'
               AND bar.ts_utc >= %(start)s AND bar.ts_utc < %(stop)s),
           last_bar_ts_utc),
       last_run_at = public.market_now()
 WHERE canonical_symbol = ANY (%(symbols)s) AND timeframe = '1m' AND next_ts_utc = %(start)s
