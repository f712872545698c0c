-- what:  the symbols of the registry with their metadata, where the table has such a column.
-- why:   the column is added by the migration; before it there is nothing to show, and no error.
SELECT canonical_symbol, asset_class, provider_ticker, active, to_jsonb(asset) -> 'metadata'
  FROM public.core_asset_registry_all AS asset
 ORDER BY canonical_symbol
