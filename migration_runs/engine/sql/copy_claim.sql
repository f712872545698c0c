-- what: lock the first range that is left and that no other worker has locked; how many keys forward has noted so far.
-- why: any number of workers share a copy without waiting for each other; chunks are short beside live writes.
-- locks: ROW SHARE on the ledger's chunks, one row FOR UPDATE; ACCESS SHARE on the sequence of the run's touched list.
-- timeout: the session's.
-- undo: released with the transaction.
SELECT c.n, c.lo, c.hi, c.rows, (SELECT q.last_value FROM {noted} AS q)
  FROM phasegate.chunk AS c
 WHERE c.run_id = {run_id} AND c.state = 'pending'
 ORDER BY c.n
   FOR UPDATE SKIP LOCKED
 LIMIT 1
