-- What: the two roles of the control database.
-- Why: migrations run as the owner; everything else runs as the app role, which owns nothing, so that the audit's triggers
--      cannot be dropped by the panel itself.
-- Locks: none beyond the catalog rows of the roles.
-- Timeout: none needed.
-- Undo: DROP ROLE phasegate_app, phasegate_owner (after dropping the database that they own).
CREATE ROLE phasegate_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {owner_password};
CREATE ROLE phasegate_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {app_password};
