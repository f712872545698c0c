-- what: bars of DXY that were computed elsewhere, in.
-- why: the other half of computing elsewhere.
-- locks: ROW EXCLUSIVE on data_bars.
-- timeout: none: nobody else is there.
-- undo: derivation_forget.sql
COPY public.data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at, raw
) FROM STDIN (FORMAT csv)
