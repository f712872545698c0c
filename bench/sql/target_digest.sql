-- what: how many rows the move has in the target, and a digest of everything in them but the table's own number.
-- why: two copies are compared by their times only when they are the same copy.
-- locks: ACCESS SHARE on data_bars.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
SELECT count(*),
       sum(hash_record_extended(
           ROW(canonical_symbol, provider_ticker, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count,
               is_partial, source, ingested_at, raw), 0)::numeric)::text
  FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m'
