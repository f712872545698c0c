-- What: who may connect to a control database.
-- Why: access per database is not copied from a template, and PUBLIC may connect by default.
-- Locks: the database's catalog row.
-- Timeout: none needed.
-- Undo: GRANT CONNECT, TEMPORARY ON DATABASE ... TO PUBLIC.
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO phasegate_app;
