-- what: writes how far a step is.
-- why: intent before effect, applied with the effect: a successor knows what may have happened and what has.
-- locks: the step's row.
-- timeout: the session's
-- undo: none: the ledger only moves on
INSERT INTO phasegate.step AS step (run_id, phase, step_key, state, token, finished_at, details)
VALUES (%(run_id)s, %(phase)s, %(step_key)s, %(state)s, %(token)s,
        CASE WHEN %(state)s IN ('applied', 'undone') THEN clock_timestamp() END, coalesce(%(details)s::jsonb, '{}'))
    ON CONFLICT (run_id, phase, step_key) DO UPDATE
   SET state = excluded.state, token = excluded.token, finished_at = excluded.finished_at,
       details = coalesce(%(details)s::jsonb, step.details),
       started_at = CASE WHEN excluded.state IN ('intent', 'undoing') AND step.state <> excluded.state
                         THEN clock_timestamp() ELSE step.started_at END
