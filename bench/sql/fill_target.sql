-- what: bars of another symbol in the target, one for every five minutes of history.
-- why: a move's target is seldom empty.
-- locks: ROW EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: empty_target.sql
INSERT INTO public.data_bars (
    canonical_symbol, provider_ticker, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at, raw
)
SELECT 'EURUSD', 'C:EURUSD', '1m', %(start)s::timestamptz + n * interval '1 minute', 1.05, 1.06, 1.04,
       1 + sin(n * 1.7::float8) / 10, false, 'massive', %(start)s::timestamptz + n * interval '1 minute', '{}'
  FROM generate_series(0, %(rows)s::bigint - 1, 5) AS n
