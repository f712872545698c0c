-- what: invented 1m bars of one symbol with volume; one minute in two hundred is missing.
-- why: what longer bars are made of, in any size, in one statement.
-- locks: ROW EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
INSERT INTO public.data_bars (
    canonical_symbol, provider_ticker, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count, is_partial,
    source, ingested_at, raw
)
SELECT 'EURUSD', 'C:EURUSD', '1m', made.ts, price, price + 0.0003, price - 0.0002, price + 0.0001, 100 + mod(n, 77),
       price + 0.00005, 10 + mod(n, 13), false, 'massive', made.ts, '{}'
  FROM generate_series(0, %(rows)s::bigint - 1) AS n
 CROSS JOIN LATERAL (SELECT %(start)s::timestamptz + n * interval '1 minute' AS ts,
                            round((1.05 + sin(n / 7000.0::float8) / 20)::numeric, 5)::float8 AS price) AS made
 WHERE mod(n, 200) <> 113
 ORDER BY n
