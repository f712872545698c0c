-- what: the symbols that the benchmark's bars are about.
-- why: data_bars refers to the registry.
-- locks: ROW EXCLUSIVE on the registry.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
INSERT INTO public.core_asset_registry_all (canonical_symbol, asset_class)
VALUES ('DXY', 'index'), ('EURUSD', 'forex'), ('USDJPY', 'forex'), ('GBPUSD', 'forex'), ('USDCAD', 'forex'),
       ('USDSEK', 'forex'), ('USDCHF', 'forex')
