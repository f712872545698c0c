-- what: events of the audit trail, many.
-- why: a trail as long as that of years, without waiting for years.
-- locks: ROW EXCLUSIVE on the audit trail.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
COPY public.migration_runs_auditevent (seq, at, actor, actor_how, action, object, detail, prev_hash, hash)
FROM STDIN
