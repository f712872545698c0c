-- What: gives a lease back.
-- Why: the phase may be claimed again at once, and its worker does not count as lost. The token stays: it only ever rises.
-- Locks: the phase's row, for the statement.
-- Timeout: the session's.
-- Undo: lease_claim.sql.
UPDATE migration_runs_phaserun
SET lease_until = NULL, lease_worker = ''
WHERE id = %(phase)s AND token = %(token)s
