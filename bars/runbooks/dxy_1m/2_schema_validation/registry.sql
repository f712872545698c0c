-- what: DXY and its six components are registered and active.
-- why: data_bars refers to the registry, so an unregistered DXY could not be written at all; an inactive component
--   would leave every minute without a bar.
-- locks: ACCESS SHARE on core_asset_registry_all.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT coalesce(asset.active, false) AS ok,
       format('%s in the registry: %s', wanted.symbol,
              CASE WHEN asset.canonical_symbol IS NULL THEN 'missing'
                   WHEN asset.active THEN 'active' ELSE 'not active' END) AS message
  FROM (VALUES ('DXY'), ('EURUSD'), ('USDJPY'), ('GBPUSD'), ('USDCAD'), ('USDSEK'), ('USDCHF')) AS wanted (symbol)
  LEFT JOIN public.core_asset_registry_all AS asset ON asset.canonical_symbol = wanted.symbol;
