-- What: who may connect to a target database, and that the runner may create its schema there.
-- Why: access per database is not copied from a template, and PUBLIC may connect by default.
-- Locks: the database's catalog row.
-- Timeout: none needed.
-- Undo: REVOKE the same.
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT, TEMPORARY, CREATE ON DATABASE {database} TO phasegate_runner;
GRANT CONNECT, TEMPORARY ON DATABASE {database} TO bars_app;
