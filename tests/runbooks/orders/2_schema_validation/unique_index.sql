-- what: both tables have a unique index on (order_id, sku).
-- why: it is how a line is found on either side.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT EXISTS (
           SELECT FROM pg_catalog.pg_index AS index
            WHERE index.indrelid = to_regclass(wanted.name)
              AND index.indisunique AND index.indisvalid AND index.indpred IS NULL
              AND (SELECT array_agg(attribute.attname::text ORDER BY attribute.attname)
                     FROM pg_catalog.pg_attribute AS attribute
                    WHERE attribute.attrelid = index.indrelid
                      AND attribute.attnum = ANY (index.indkey)) = ARRAY['order_id', 'sku']) AS ok,
       format('%s has a unique index on (order_id, sku)', wanted.name) AS message
  FROM (VALUES ('sales.order_line_old'), ('sales.order_line')) AS wanted (name);
