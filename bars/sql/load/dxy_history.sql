-- what:  active DXY 1m bars of [start_minute, stop_minute) straight from the invented market, without storing pairs.
-- why:   10 million DXY bars would need 60 million rows of pairs; history older than the pairs' depth is made by
--        the same formula from the same closes, so a value does not depend on how it was loaded.
-- undo:  none: a loaded database is dropped as a whole.
WITH anchor AS MATERIALIZED (
    SELECT day,
           max(level) FILTER (WHERE symbol = 'EURUSD') AS l1, max(next_level) FILTER (WHERE symbol = 'EURUSD') AS n1,
           max(level) FILTER (WHERE symbol = 'USDJPY') AS l2, max(next_level) FILTER (WHERE symbol = 'USDJPY') AS n2,
           max(level) FILTER (WHERE symbol = 'GBPUSD') AS l3, max(next_level) FILTER (WHERE symbol = 'GBPUSD') AS n3,
           max(level) FILTER (WHERE symbol = 'USDCAD') AS l4, max(next_level) FILTER (WHERE symbol = 'USDCAD') AS n4,
           max(level) FILTER (WHERE symbol = 'USDSEK') AS l5, max(next_level) FILTER (WHERE symbol = 'USDSEK') AS n5,
           max(level) FILTER (WHERE symbol = 'USDCHF') AS l6, max(next_level) FILTER (WHERE symbol = 'USDCHF') AS n6
      FROM unnest(%(anchor_symbols)s::text[], %(anchor_days)s::bigint[],
                  %(anchor_levels)s::float8[], %(anchor_next_levels)s::float8[])
           AS a (symbol, day, level, next_level)
     GROUP BY day
), seeded AS MATERIALIZED (
    SELECT %(seed)s::bigint * 1000003 + 10007 AS k1, %(seed)s::bigint * 1000003 + 20014 AS k2,
           %(seed)s::bigint * 1000003 + 30021 AS k3, %(seed)s::bigint * 1000003 + 40028 AS k4,
           %(seed)s::bigint * 1000003 + 50035 AS k5, %(seed)s::bigint * 1000003 + 60042 AS k6,
           (%(scales)s::float8[])[1] AS s1, (%(scales)s::float8[])[2] AS s2, (%(scales)s::float8[])[3] AS s3,
           (%(scales)s::float8[])[4] AS s4, (%(scales)s::float8[])[5] AS s5, (%(scales)s::float8[])[6] AS s6
), priced AS MATERIALIZED (
    SELECT minute,
           50.14348112
           * power(pg_temp.pair_price(k1, minute + 1, l1, n1, day * 1440 + 840, s1), -0.576::float8)
           * power(pg_temp.pair_price(k2, minute + 1, l2, n2, day * 1440 + 840, s2), 0.136::float8)
           * power(pg_temp.pair_price(k3, minute + 1, l3, n3, day * 1440 + 840, s3), -0.119::float8)
           * power(pg_temp.pair_price(k4, minute + 1, l4, n4, day * 1440 + 840, s4), 0.091::float8)
           * power(pg_temp.pair_price(k5, minute + 1, l5, n5, day * 1440 + 840, s5), 0.042::float8)
           * power(pg_temp.pair_price(k6, minute + 1, l6, n6, day * 1440 + 840, s6), 0.036::float8) AS price
      FROM generate_series(%(start_minute)s::bigint, %(stop_minute)s::bigint - 1) AS minute
      JOIN anchor ON anchor.day = (minute - 840) / 1440
     CROSS JOIN seeded
     WHERE pg_temp.fx_open(minute) AND pg_temp.missing_pair(%(seed)s::bigint, minute) = 0
)
INSERT INTO public.derived_data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, source, ingested_at,
    source_timeframe, source_candles, expected_candles, quality_score, derivation_version, raw
)
SELECT 'DXY', '1m', to_timestamp(minute * 60), price, price, price, price, 'dxy',
       to_timestamp(minute * 60) + interval '64 seconds', '1m', 6, 6, 2, 1, '{"kind": "dxy", "components": 6}'::jsonb
  FROM priced
 ORDER BY minute
