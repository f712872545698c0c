-- what:  the 1m bars of the six pairs in [start_minute, stop_minute), minutes counted from 1970.
-- why:   the loader fills history with it, the feed the current minute; a bar that is there stays as it is.
-- note:  open is the price at the start of the minute, close the price at the start of the next.
-- undo:  none: ingested bars are facts; a demo database is dropped as a whole.
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
    SELECT minute, pair.symbol, pair.ticker, pair.pair_no,
           pg_temp.pair_price(noise_key, minute, level, next_level, day * 1440 + 840, scale) AS open,
           pg_temp.pair_price(noise_key, minute + 1, level, next_level, day * 1440 + 840, scale) AS close,
           (1 + pg_temp.unit_noise(noise_key + 1, minute)) * 0.00003 AS wick_up,
           (1 + pg_temp.unit_noise(noise_key + 2, minute)) * 0.00003 AS wick_down,
           20 + round(90 * (1 + pg_temp.unit_noise(noise_key + 3, minute))
                      * (1.5 + pg_temp.wave(noise_key + 4, minute, 240))) AS ticks
      FROM generate_series(%(start_minute)s::bigint, %(stop_minute)s::bigint - 1) AS minute
     CROSS JOIN pair
      JOIN anchor ON anchor.symbol = pair.symbol AND anchor.day = (minute - 840) / 1440
     WHERE pg_temp.fx_open(minute)
       AND pg_temp.missing_pair(%(seed)s::bigint, minute) <> pair.pair_no
), shaped AS (
    SELECT *, greatest(open, close) * (1 + wick_up) AS high, least(open, close) * (1 - wick_down) AS low FROM bar
)
INSERT INTO public.data_bars (
    canonical_symbol, provider_ticker, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count,
    is_partial, source, ingested_at, raw
)
SELECT symbol, ticker, '1m', to_timestamp(minute * 60), open, high, low, close, ticks,
       (open + high + low + close) / 4, ticks::integer, false, 'massive',
       least(to_timestamp(minute * 60) + interval '62 seconds', (SELECT public.market_now())), '{"feed": "massive"}'::jsonb
  FROM shaped
 ORDER BY minute, pair_no
ON CONFLICT ON CONSTRAINT data_bars_symbol_timeframe_ts_key DO NOTHING
