-- what: the steps of a run that the ledger knows, in the order in which they were begun.
-- why: a resumed phase skips what was applied; a rollback undoes what was applied or begun, last first.
-- locks: none
-- timeout: the session's
-- undo: none: it reads
SELECT phase, step_key, state, started_at, finished_at, details
  FROM phasegate.step
 WHERE run_id = %(run_id)s
 ORDER BY phase, position
