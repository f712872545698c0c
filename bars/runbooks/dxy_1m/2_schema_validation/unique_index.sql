-- what: each side has the unique index by which a bar is found: whole on data_bars, over active rows on derived_data_bars.
-- why: without it a repeated copy would write a bar twice and every upsert of the new function would fail. It is not
--   repaired here, since building it inside a transaction would stop the feed: build it CONCURRENTLY beforehand.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT count(*) > 0 AS ok,
       format('unique, valid index of data_bars on (canonical_symbol, timeframe, ts_utc) without condition: %s',
              coalesce(string_agg(index.indexrelid::regclass::text, ', '), 'missing')) AS message
  FROM pg_catalog.pg_index AS index
 WHERE index.indrelid = 'public.data_bars'::regclass
   AND index.indisunique AND index.indisvalid AND index.indisready AND index.indimmediate
   AND index.indpred IS NULL AND index.indexprs IS NULL
   AND (SELECT array_agg(attribute.attname::text ORDER BY attribute.attname)
          FROM pg_catalog.pg_attribute AS attribute
         WHERE attribute.attrelid = index.indrelid
           AND attribute.attnum = ANY (index.indkey)) = ARRAY['canonical_symbol', 'timeframe', 'ts_utc']
UNION ALL
SELECT count(*) > 0,
       format('unique, valid index of derived_data_bars on (canonical_symbol, timeframe, ts_utc) of active rows: %s',
              coalesce(string_agg(index.indexrelid::regclass::text, ', '), 'missing'))
  FROM pg_catalog.pg_index AS index
 WHERE index.indrelid = 'public.derived_data_bars'::regclass
   AND index.indisunique AND index.indisvalid AND index.indisready AND index.indimmediate
   AND pg_get_expr(index.indpred, index.indrelid) = '(deleted_at IS NULL)' AND index.indexprs IS NULL
   AND (SELECT array_agg(attribute.attname::text ORDER BY attribute.attname)
          FROM pg_catalog.pg_attribute AS attribute
         WHERE attribute.attrelid = index.indrelid
           AND attribute.attnum = ANY (index.indkey)) = ARRAY['canonical_symbol', 'timeframe', 'ts_utc'];
