-- what: brings back the source rows that this run had withdrawn, with the target's values of now.
-- why: a rollback returns the very rows, with their own columns; rows that others withdrew are not in the list.
-- locks: ROW EXCLUSIVE on the source, the rows written
-- timeout: lock as set by the caller
-- undo: retiring again
  WITH last AS MATERIALIZED (
        SELECT DISTINCT ON ({gone_keys}) {gone_keys}, {gone_identities}
          FROM {keys}
          JOIN {gone} AS g ON {gone_key}
         WHERE NOT EXISTS (SELECT FROM {source} AS s WHERE {source_gone_key} AND {source_rows})
         ORDER BY {gone_keys}, g.id DESC),
       back AS (
        UPDATE {source} AS s
           SET {assignments}
          FROM last AS g
          JOIN {target} AS t ON {target_key}
         WHERE {identity} AND NOT {active} AND {target_scope}
        RETURNING {source_keys})
DELETE FROM {gone} AS g
 USING back AS b
 WHERE {gone_back_key}
