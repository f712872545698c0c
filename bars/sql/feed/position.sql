-- what:  the market's time, the next minute of pairs to ingest, and the next minute of DXY to derive.
-- why:   the feed has no memory of its own: after any crash this is where it goes on.
SELECT public.market_now(),
       min(next_ts_utc) FILTER (WHERE canonical_symbol <> 'DXY'),
       min(next_ts_utc) FILTER (WHERE canonical_symbol = 'DXY')
  FROM public.data_ingest_state
 WHERE timeframe = '1m'
