-- What: renews a lease that is still this worker's.
-- Why: a lease that ran out, but that nobody has taken, is still its holder's: the token says so.
-- Locks: the phase's row, for the statement.
-- Timeout: the session's.
-- Undo: lease_release.sql.
UPDATE migration_runs_phaserun
SET lease_until = clock_timestamp() + %(seconds)s * interval '1 second'
WHERE id = %(phase)s AND token = %(token)s AND lease_worker <> ''
