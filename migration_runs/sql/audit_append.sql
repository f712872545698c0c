-- What: writes the next event of the audit trail: takes the writers' lock, then chains the event to the last one.
-- Why: both in one round trip, since every other writer waits meanwhile. The second statement has a snapshot of its own,
--      taken once the lock is held. What the hash is over comes as three texts; only here is it known what goes between
--      them: the time, the hash of the event before, and the number.
-- Locks: the advisory lock of the trail, until the transaction ends.
-- Timeout: the session's.
-- Undo: none: the trail is append-only.
SELECT pg_advisory_xact_lock(%(lock)s);
INSERT INTO migration_runs_auditevent (seq, at, run_id, actor, actor_how, action, object, detail, prev_hash, hash)
SELECT last.seq + 1, moment.at, %(run)s::bigint, %(actor)s, %(actor_how)s, %(action)s, %(object)s, %(detail)s::jsonb, last.hash,
       encode(sha256(convert_to(
           %(until_at)s || to_char(moment.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
           || %(until_prev_hash)s || last.hash || %(until_seq)s || last.seq + 1 || '}', 'UTF8')), 'hex')
  FROM (SELECT clock_timestamp() AS at OFFSET 0) AS moment,
       (SELECT seq, hash
          FROM (SELECT seq, hash FROM migration_runs_auditevent ORDER BY seq DESC LIMIT 1) AS newest
        UNION ALL SELECT 0, ''
         ORDER BY seq DESC LIMIT 1) AS last
RETURNING seq, at, prev_hash, hash
