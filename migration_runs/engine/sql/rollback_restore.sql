-- what: target rows that were there before the run and that it overwrote or removed, as they were.
-- why: what the run did not bring is not the run's to change. Columns that the move does not know come back too.
-- locks: ROW EXCLUSIVE on the target, the rows written.
-- timeout: the step's.
-- undo: none.
INSERT INTO {target} AS t ({all_columns}) OVERRIDING SYSTEM VALUE
SELECT {all_values}
  FROM {before} AS b
 CROSS JOIN LATERAL pg_catalog.jsonb_populate_record(NULL::{target}, b.image) AS i
 WHERE b.image IS NOT NULL
    ON CONFLICT {conflict} {restore_action}
