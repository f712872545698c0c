-- what: the claimed range becomes the record of the piece that was copied.
-- why: written in the piece's own transaction, so that it is copied and recorded, or neither.
-- locks: one row of the ledger's chunks, held since copy_claim.sql.
-- timeout: the session's.
-- undo: rolled back with the chunk's transaction.
UPDATE phasegate.chunk
   SET state = 'done', hi = {hi}, rows = {rows}, inserted = {inserted}, different = {different}, ms = {ms},
       token = {token}, done_at = pg_catalog.clock_timestamp()
 WHERE run_id = {run_id} AND n = {n}
