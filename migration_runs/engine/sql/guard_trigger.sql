-- what: calls the guard before TRUNCATE, also when it comes by CASCADE.
-- why: see the function
-- locks: SHARE ROW EXCLUSIVE on the table
-- timeout: lock 200 ms, tried again
-- undo: DROP TRIGGER
CREATE OR REPLACE TRIGGER {trigger} BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}
