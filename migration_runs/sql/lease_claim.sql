-- What: takes a phase's lease if nobody holds it, and gives out the run's next fencing token.
-- Why: decided by the control database's clock, in one statement; the caller has locked the run's row first, as every
--      verb does, so that the two cannot deadlock. A lease that ran out without being given back is a lost worker: the
--      attempt counts up.
-- Locks: the run's row (held by the caller) and the phase's row, until the transaction ends.
-- Timeout: the session's.
-- Undo: lease_release.sql.
WITH before AS (
    SELECT id, run_id, lease_worker
    FROM migration_runs_phaserun
    WHERE id = %(phase)s AND state = ANY (%(states)s) AND (lease_worker = '' OR lease_until <= clock_timestamp())
    FOR NO KEY UPDATE
), raised AS (
    UPDATE migration_runs_run AS run SET token = run.token + 1
    FROM before
    WHERE run.id = before.run_id
    RETURNING run.token
)
UPDATE migration_runs_phaserun AS phase SET
    token = raised.token,
    lease_until = clock_timestamp() + %(seconds)s * interval '1 second',
    lease_worker = %(worker)s,
    attempt = greatest(1, phase.attempt + CASE WHEN before.lease_worker = '' THEN 0 ELSE 1 END)
FROM before, raised
WHERE phase.id = before.id
RETURNING phase.token, before.lease_worker AS lost_worker, phase.attempt
