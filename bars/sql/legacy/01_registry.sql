-- what:  core_asset_registry_all, the list of every symbol that the bars system knows.
-- why:   data_bars refers to it; only active symbols are ingested and aggregated.
-- note:  it has neither a description nor a metadata column; the migration adds the latter.
-- undo:  DROP TABLE core_asset_registry_all (with everything that refers to it).
CREATE TABLE public.core_asset_registry_all (
    canonical_symbol text PRIMARY KEY,
    asset_class      text NOT NULL,
    provider_ticker  text,
    base_currency    text,
    quote_currency   text,
    active           boolean NOT NULL DEFAULT true,
    test_active      boolean NOT NULL DEFAULT false
);
