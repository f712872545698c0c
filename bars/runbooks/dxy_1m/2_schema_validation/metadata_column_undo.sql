-- what: drop the column metadata of the registry.
-- why: it was added by this run; the metadata that phase 5 wrote has gone before.
-- locks: ACCESS EXCLUSIVE on core_asset_registry_all, for the moment of the change.
-- timeout: lock 200 ms, statement 5 s
-- undo: metadata_column_repair.sql adds it again.
ALTER TABLE public.core_asset_registry_all DROP COLUMN IF EXISTS metadata;
