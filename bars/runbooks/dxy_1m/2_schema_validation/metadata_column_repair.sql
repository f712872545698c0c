-- what: add the column metadata to the registry, empty.
-- why: the registry has no place for what makes a symbol synthetic.
-- locks: ACCESS EXCLUSIVE on core_asset_registry_all, for the moment of the change: without a default nothing is rewritten.
-- timeout: lock 200 ms, statement 5 s
-- undo: metadata_column_undo.sql drops the column.
ALTER TABLE public.core_asset_registry_all ADD COLUMN IF NOT EXISTS metadata jsonb;
