-- What: drops the trigger functions of guards.sql.
-- Why: undoing the first migration.
-- Locks: catalog rows only; fails while a trigger still uses one.
-- Timeout: none needed.
-- Undo: guards.sql.
DROP FUNCTION phasegate_guard_state();
DROP FUNCTION phasegate_guard_fixed();
DROP FUNCTION phasegate_guard_append_only();
DROP FUNCTION phasegate_guard_refuse();
DROP FUNCTION phasegate_guard_audit_chain();
