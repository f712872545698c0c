-- what: lock the first range that is left and that no other worker has locked.
-- why: any number of workers share a copy without waiting for each other.
-- locks: ROW SHARE on the ledger's chunks, one row FOR UPDATE.
-- timeout: the session's.
-- undo: released with the transaction.
SELECT c.n, c.lo, c.hi, c.rows
  FROM phasegate.chunk AS c
 WHERE c.run_id = {run_id} AND c.state = 'pending'
 ORDER BY c.n
   FOR UPDATE SKIP LOCKED
 LIMIT 1
