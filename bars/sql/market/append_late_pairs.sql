-- what:  bars that the provider sends late during [start_minute, stop_minute): corrections, and bars that were missing.
-- why:   a real feed corrects itself; DXY of those minutes is derived again, so older bars change while a migration runs.
-- note:  a corrected close is the first one plus one step of the quote; sending it again changes nothing.
-- undo:  none: ingested bars are facts.
WITH pair AS (
    SELECT symbol, ticker, scale, pair_no::integer AS pair_no, %(seed)s::bigint * 1000003 + pair_no * 10007 AS noise_key
      FROM unnest(%(symbols)s::text[], %(tickers)s::text[], %(scales)s::float8[])
           WITH ORDINALITY AS p (symbol, ticker, scale, pair_no)
), anchor AS (
    SELECT symbol, day, level, next_level
      FROM unnest(%(anchor_symbols)s::text[], %(anchor_days)s::bigint[],
                  %(anchor_levels)s::float8[], %(anchor_next_levels)s::float8[])
           AS a (symbol, day, level, next_level)
), bar AS MATERIALIZED (
    SELECT late.minute, pair.symbol, pair.ticker, scale,
           pg_temp.pair_price(noise_key, late.minute, level, next_level, day * 1440 + 840, scale) AS open,
           pg_temp.pair_price(noise_key, late.minute + 1, level, next_level, day * 1440 + 840, scale) AS first_close
      FROM pg_temp.late_bars(%(seed)s::bigint, %(start_minute)s::bigint, %(stop_minute)s::bigint) AS late
      JOIN pair ON pair.pair_no = late.pair
      JOIN anchor ON anchor.symbol = pair.symbol AND anchor.day = (late.minute - 840) / 1440
), corrected AS (
    SELECT *, round(first_close * scale + 1) / scale AS close FROM bar
)
INSERT INTO public.data_bars AS stored (
    canonical_symbol, provider_ticker, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count,
    is_partial, source, ingested_at, raw
)
SELECT symbol, ticker, '1m', to_timestamp(minute * 60), open, greatest(open, close), least(open, close), close,
       20, (open + close) / 2, 20, false, 'massive', (SELECT public.market_now()), '{"feed": "massive", "late": true}'::jsonb
  FROM corrected
 ORDER BY minute, symbol
ON CONFLICT ON CONSTRAINT data_bars_symbol_timeframe_ts_key
DO UPDATE SET close = excluded.close, high = greatest(stored.high, excluded.close),
              low = least(stored.low, excluded.close), ingested_at = excluded.ingested_at, raw = excluded.raw
