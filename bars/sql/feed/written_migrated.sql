-- what:  the DXY bars that this transaction of the migrated feed derived.
-- why:   the feed's journal says after the commit what was written.
SELECT ts_utc, close
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
   AND (ts_utc >= %(start)s AND ts_utc < %(stop)s OR ts_utc = ANY (%(late)s::timestamptz[]))
 ORDER BY ts_utc
