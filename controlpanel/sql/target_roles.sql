-- What: the roles of a target database: the tables' owner, the runner that carries out migrations, the application.
-- Why: the runner needs the owner's rights on the tables and nothing of a superuser's; it reads everybody's statistics to
--      see who still calls old functions, but may signal no backend except its own. The application is a member of the owner
--      since row-level security without policies lets only the owner see rows.
-- Locks: none beyond the catalog rows of the roles.
-- Timeout: none needed.
-- Undo: DROP ROLE bars_app, phasegate_runner, bars_owner (after dropping what they own).
CREATE ROLE bars_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {owner_password};
CREATE ROLE phasegate_runner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {runner_password};
CREATE ROLE bars_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {app_password};
GRANT bars_owner TO phasegate_runner WITH INHERIT TRUE, SET TRUE;
GRANT bars_owner TO bars_app WITH INHERIT TRUE, SET TRUE;
GRANT pg_read_all_stats TO phasegate_runner;
