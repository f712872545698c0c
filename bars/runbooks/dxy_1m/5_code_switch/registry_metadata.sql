-- what: the registry says of DXY that it is synthetic, its base timeframe, its components, and what is derived from it.
-- why: exactly these four keys; whoever reads the registry needs no more, and nothing else has to be kept true.
-- locks: ROW EXCLUSIVE on core_asset_registry_all, and the row of DXY.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image: the row's metadata as it was.
UPDATE public.core_asset_registry_all
   SET metadata = '{"is_synthetic": true,
                    "base_timeframe": "1m",
                    "components": ["EURUSD", "USDJPY", "GBPUSD", "USDCAD", "USDSEK", "USDCHF"],
                    "derived_timeframes": ["5m", "1h"]}'::jsonb
 WHERE canonical_symbol = 'DXY'
RETURNING metadata ?& ARRAY['is_synthetic', 'base_timeframe', 'components', 'derived_timeframes'] AS ok;
