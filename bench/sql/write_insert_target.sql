-- what: the same bars as in write_insert.sql, in the target, as the move would have them there.
-- why: what an application would do that writes both tables by itself; dual-write is measured against it.
-- locks: ROW EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: empty_target.sql
INSERT INTO public.data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at, raw
)
SELECT %(symbol)s, %(timeframe)s, %(from)s::timestamptz + n * interval '1 minute', 100 + n, 100 + n, 100 + n, 100 + n,
       false, 'synthetic', now(),
       jsonb_build_object(
           'source', 'dxy', 'source_timeframe', '1m', 'source_candles', 6, 'expected_candles', 6, 'quality_score', 2,
           'derivation_version', 1, 'raw', '{"kind": "dxy", "components": 6}'::jsonb, 'created_at', now(), 'kind', 'dxy'
       )
  FROM generate_series(0, %(bars)s::bigint - 1) AS n
