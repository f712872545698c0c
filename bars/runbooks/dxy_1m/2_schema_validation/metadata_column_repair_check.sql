-- what: no column metadata of another type is in the way.
-- why: the repair adds the column; it must not be mistaken for one that somebody else already uses.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT count(*) = 0 AS ok,
       coalesce('core_asset_registry_all.metadata exists with type '
                || string_agg(format_type(attribute.atttypid, attribute.atttypmod), ', '),
                'the name metadata is free') AS message
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = 'public.core_asset_registry_all'::regclass
   AND attribute.attname = 'metadata' AND attribute.atttypid <> 'jsonb'::regtype AND NOT attribute.attisdropped;
