-- what: how many minutes of DXY there are, and how many of them are what they should be, each column of them.
-- why: ways that come to other values, or to fewer, are not compared.
-- locks: ACCESS SHARE on data_bars.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
SELECT count(*),
       count(*) FILTER (
           WHERE abs(bar.close - reference.price) <= 1e-9 AND bar.open = bar.close AND bar.high = bar.close AND bar.low = bar.close
             AND bar.source = 'synthetic' AND NOT bar.is_partial
             AND bar.raw @> '{"kind": "dxy", "source": "dxy", "source_timeframe": "1m", "source_candles": 6, "expected_candles": 6,
                              "quality_score": 2, "derivation_version": 1, "raw": {"kind": "dxy", "components": 6}}'
             AND bar.raw ? 'created_at')
  FROM public.data_bars AS bar
  LEFT JOIN public.reference USING (ts_utc)
 WHERE bar.canonical_symbol = 'DXY' AND bar.timeframe = '1m'
