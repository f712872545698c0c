-- what:  writes into data_ingest_state which bar is the newest of each symbol.
-- why:   on-call reads from it how fresh a symbol is, closed hours included.
-- undo:  none: a loaded database is dropped as a whole.
UPDATE public.data_ingest_state AS state
   SET last_bar_ts_utc = CASE WHEN state.canonical_symbol = 'DXY' THEN (
           SELECT ts_utc FROM public.derived_data_bars
            WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL
            ORDER BY ts_utc DESC LIMIT 1)
       ELSE (
           SELECT ts_utc FROM public.data_bars AS bar
            WHERE bar.canonical_symbol = state.canonical_symbol AND bar.timeframe = '1m'
            ORDER BY ts_utc DESC LIMIT 1)
       END
