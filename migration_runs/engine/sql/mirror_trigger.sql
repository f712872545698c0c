-- what: calls the mirror function after each statement of one kind.
-- why: ENABLE ALWAYS, so that a session in replica role does not pass it by.
-- locks: SHARE ROW EXCLUSIVE on the table
-- timeout: lock 200 ms, tried again
-- undo: DROP TRIGGER
CREATE OR REPLACE TRIGGER {trigger} AFTER {event} ON {table}
    REFERENCING {transition}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}
