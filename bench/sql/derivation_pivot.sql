-- what: DXY of every minute by joining the pairs' table with itself six times, as the sum of weighted logarithms.
-- why: the baseline: how the index was derived originally, and how it is often written. It replaces what is there, as
--   a derivation that may be repeated has to.
-- locks: ROW EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: derivation_forget.sql
INSERT INTO public.data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at, raw
)
SELECT 'DXY', '1m', ts_utc, price, price, price, price, false, 'synthetic', now(),
       jsonb_build_object(
           'kind', 'dxy', 'source', 'dxy', 'source_timeframe', '1m', 'source_candles', 6, 'expected_candles', 6,
           'quality_score', 2, 'derivation_version', 1, 'created_at', now(),
           'raw', '{"kind": "dxy", "components": 6}'::jsonb)
  FROM (SELECT ts_utc,
               50.14348112 * exp(-0.576 * ln(eurusd.close) + 0.136 * ln(usdjpy.close) - 0.119 * ln(gbpusd.close)
                                 + 0.091 * ln(usdcad.close) + 0.042 * ln(usdsek.close) + 0.036 * ln(usdchf.close)) AS price
          FROM public.data_bars AS eurusd
          JOIN public.data_bars AS usdjpy USING (ts_utc, timeframe)
          JOIN public.data_bars AS gbpusd USING (ts_utc, timeframe)
          JOIN public.data_bars AS usdcad USING (ts_utc, timeframe)
          JOIN public.data_bars AS usdsek USING (ts_utc, timeframe)
          JOIN public.data_bars AS usdchf USING (ts_utc, timeframe)
         WHERE timeframe = '1m' AND ts_utc >= %(from)s::timestamptz AND ts_utc < %(to)s::timestamptz
           AND eurusd.canonical_symbol = 'EURUSD' AND usdjpy.canonical_symbol = 'USDJPY'
           AND gbpusd.canonical_symbol = 'GBPUSD' AND usdcad.canonical_symbol = 'USDCAD'
           AND usdsek.canonical_symbol = 'USDSEK' AND usdchf.canonical_symbol = 'USDCHF'
           AND eurusd.close > 0 AND usdjpy.close > 0 AND gbpusd.close > 0 AND usdcad.close > 0 AND usdsek.close > 0
           AND usdchf.close > 0) AS priced
 ORDER BY ts_utc
ON CONFLICT (canonical_symbol, timeframe, ts_utc)
DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
              is_partial = excluded.is_partial, source = excluded.source, ingested_at = excluded.ingested_at,
              raw = excluded.raw
