-- what: brings back the source rows that this run had deleted: columns that the target does not know from the row's
--       image, the others with the target's values of now.
-- why: a rollback returns the very rows, identities included.
-- locks: ROW EXCLUSIVE on the source, the rows written
-- timeout: lock as set by the caller
-- undo: retiring again
  WITH last AS MATERIALIZED (
        SELECT DISTINCT ON ({gone_keys}) {gone_keys}, g.image
          FROM {keys}
          JOIN {gone} AS g ON {gone_key}
         WHERE g.image IS NOT NULL
           AND NOT EXISTS (SELECT FROM {source} AS s WHERE {source_gone_key} AND {source_rows})
         ORDER BY {gone_keys}, g.id DESC),
       back AS (
        INSERT INTO {source} AS s ({columns}) OVERRIDING SYSTEM VALUE
        SELECT {values}
          FROM last AS g
         CROSS JOIN LATERAL jsonb_populate_record(NULL::{source}, g.image) AS i
          JOIN {target} AS t ON {target_key}
         WHERE {target_scope}
            ON CONFLICT DO NOTHING
        RETURNING {source_keys})
DELETE FROM {gone} AS g
 USING back AS b
 WHERE {gone_back_key}
