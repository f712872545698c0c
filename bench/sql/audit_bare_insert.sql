-- what: one row like an audit event.
-- why: the baseline of appending to the trail.
-- locks: ROW EXCLUSIVE on bare_event.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
INSERT INTO public.bare_event (at, actor, actor_how, action, object, detail, prev_hash, hash)
VALUES (%(at)s, %(actor)s, %(how)s, %(action)s, %(object)s, %(detail)s, %(hash)s, %(hash)s)
