-- what: new bars of one series, one a minute, in one statement.
-- why: what a feed does to the source, in batches of a size.
-- locks: ROW EXCLUSIVE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: forget_written.sql
INSERT INTO public.derived_data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, source, source_timeframe, source_candles,
    expected_candles, quality_score, raw
)
SELECT %(symbol)s, %(timeframe)s, %(from)s::timestamptz + n * interval '1 minute', 100 + n, 100 + n, 100 + n, 100 + n,
       'dxy', '1m', 6, 6, 2, '{"kind": "dxy", "components": 6}'::jsonb
  FROM generate_series(0, %(bars)s::bigint - 1) AS n
