-- what: invented minutes of the six pairs, all six of a minute together, as a feed would have written them.
-- why: what DXY is derived from, in any size, in one statement.
-- locks: ROW EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
INSERT INTO public.data_bars (
    canonical_symbol, provider_ticker, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at, raw
)
SELECT pair.symbol, 'C:' || pair.symbol, '1m', made.ts, price, price, price, price, false, 'massive', made.ts, '{}'
  FROM generate_series(0, %(rows)s::bigint - 1) AS n
 CROSS JOIN (VALUES ('EURUSD', 1.05::float8, 1), ('USDJPY', 108.5, 2), ('GBPUSD', 1.25, 3), ('USDCAD', 1.3, 4),
                    ('USDSEK', 10.15, 5), ('USDCHF', 0.92, 6)) AS pair (symbol, level, number)
 CROSS JOIN LATERAL (SELECT %(start)s::timestamptz + n * interval '1 minute' AS ts,
                            round((pair.level * (1 + sin(n / 7000.0::float8 + pair.number) / 20))::numeric, 5)::float8 AS price
                    ) AS made
 ORDER BY n, pair.number
