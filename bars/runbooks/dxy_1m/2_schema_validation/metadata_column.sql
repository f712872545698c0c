-- what: the registry has a column metadata of type jsonb.
-- why: phase 5 writes into it what makes DXY synthetic.
-- locks: none.
-- timeout: lock 200 ms, statement 5 s
-- undo: none needed, it reads only; its repair has an undo of its own.
SELECT count(*) = 1 AS ok,
       format('core_asset_registry_all.metadata jsonb: %s',
              CASE count(*) WHEN 1 THEN 'found' ELSE 'missing' END) AS message
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = 'public.core_asset_registry_all'::regclass
   AND attribute.attname = 'metadata' AND attribute.atttypid = 'jsonb'::regtype AND NOT attribute.attisdropped;
