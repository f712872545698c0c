-- what: writes the run into the ledger, or raises its fencing token; no row when a higher token is there.
-- why: from here on a worker with a lower token can write nothing (every transaction locks this row FOR SHARE).
-- locks: the run's row of phasegate.run; waits for transactions of the worker before.
-- timeout: lock 30 s, above the 20 s after which a frozen worker's open transaction ends
-- undo: none: a token only grows
INSERT INTO phasegate.run AS run (run_id, slug, digest, token)
VALUES (%(run_id)s, %(slug)s, %(digest)s, %(token)s)
    ON CONFLICT (run_id) DO UPDATE SET token = excluded.token WHERE run.token <= excluded.token
RETURNING token
