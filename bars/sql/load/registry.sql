-- what:  the seven symbols of the registry: six pairs and DXY.
-- why:   data_bars refers to it; aggregation looks there for what is active.
-- undo:  none: a loaded database is dropped as a whole.
INSERT INTO public.core_asset_registry_all
    (canonical_symbol, asset_class, provider_ticker, base_currency, quote_currency, active, test_active)
SELECT symbol, 'forex', ticker, left(symbol, 3), right(symbol, 3), true, false
  FROM unnest(%(symbols)s::text[], %(tickers)s::text[]) AS p (symbol, ticker)
UNION ALL
SELECT 'DXY', 'index', NULL, NULL, 'USD', true, false
