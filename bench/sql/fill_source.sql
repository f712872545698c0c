-- what: invented history in the source: an active DXY minute each, one in fifty withdrawn and replaced, and 5m bars of two
--       symbols, which the move is not about; in the order of time, as a feed would have written them.
-- why: the shape of the real table, in any size, in one statement.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
INSERT INTO public.derived_data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, source, ingested_at, source_timeframe,
    source_candles, expected_candles, quality_score, derivation_version, raw, deleted_at, created_at, updated_at
)
SELECT bar.symbol, bar.timeframe, bar.ts, price, price, price, price, bar.source, bar.ts + interval '64 seconds', '1m',
       6, 6, 2, 1, '{"kind": "dxy", "components": 6}'::jsonb, bar.deleted_at, bar.ts, bar.ts
  FROM generate_series(0, %(rows)s::bigint - 1) AS n
 CROSS JOIN LATERAL (SELECT %(start)s::timestamptz + n * interval '1 minute' AS ts,
                            100 + 5 * sin(n / 5000.0::float8) + sin(n * 1.7::float8) / 10 AS price) AS made
 CROSS JOIN LATERAL (
        SELECT 'DXY', '1m', made.ts, 'dxy', made.ts + interval '1 hour' WHERE mod(n, 50) = 7
        UNION ALL SELECT 'DXY', '1m', made.ts, 'dxy', NULL
        UNION ALL SELECT 'DXY', '5m', made.ts, 'agg', NULL WHERE mod(n, 5) = 0
        UNION ALL SELECT 'EURUSD', '5m', made.ts, 'agg', NULL WHERE mod(n, 5) = 0
       ) AS bar (symbol, timeframe, ts, source, deleted_at)
 ORDER BY n
