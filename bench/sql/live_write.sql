-- what: a bar of history is written once more, with another close.
-- why: what a correction of the feed does to the source while history is copied.
-- locks: ROW EXCLUSIVE on derived_data_bars, one row.
-- timeout: none: how long it waits is what is measured.
-- undo: none: the price was invented before, too.
INSERT INTO public.derived_data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, source, source_timeframe, source_candles,
    expected_candles, quality_score, raw
)
VALUES ('DXY', '1m', %(at)s::timestamptz, 100, 100, 100, %(close)s::float8, 'dxy', '1m', 6, 6, 2,
        '{"kind": "dxy", "components": 6}'::jsonb)
ON CONFLICT (canonical_symbol, timeframe, ts_utc) WHERE deleted_at IS NULL
DO UPDATE SET close = excluded.close
