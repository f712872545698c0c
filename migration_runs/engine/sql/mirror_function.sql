-- what: a trigger function that mirrors one side of a move to the other.
-- why: SECURITY DEFINER, since an invoker under row-level security would mirror nothing and say nothing; settings are
--      pinned, since they would otherwise be the application's. Locks are waited for far less long than a deadlock is
--      looked for. One plan, by index, whatever the size of the statement that happened to come first.
-- locks: none
-- timeout: the session's
-- undo: DROP FUNCTION, with the triggers
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = {lock_timeout}
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET "TimeZone" = 'UTC'
SET "IntervalStyle" = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS {body}
