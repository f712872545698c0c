-- What: what the app role may do with tables that the owner role makes later. Run inside the control database.
-- Why: migrations should not have to name the app role for every table; the audit's migration takes rights away again.
-- Locks: catalog rows only.
-- Timeout: none needed.
-- Undo: the same statements with REVOKE.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO phasegate_app;
ALTER DEFAULT PRIVILEGES FOR ROLE phasegate_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO phasegate_app;
ALTER DEFAULT PRIVILEGES FOR ROLE phasegate_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO phasegate_app;
