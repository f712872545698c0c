-- what: how far the run's copy is.
-- why: progress, and the end: no range is left.
-- locks: ACCESS SHARE on the ledger's chunks.
-- timeout: the session's.
-- undo: none: it reads.
SELECT coalesce(sum(c.rows) FILTER (WHERE c.state = 'done'), 0), coalesce(sum(c.rows), 0), coalesce(sum(c.inserted), 0),
       coalesce(sum(c.different), 0), count(*) FILTER (WHERE c.state = 'done'), count(*) FILTER (WHERE c.state = 'pending'),
       coalesce(max(c.ms) FILTER (WHERE c.state = 'done'), 0)
  FROM phasegate.chunk AS c
 WHERE c.run_id = {run_id}
