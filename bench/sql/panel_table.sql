-- what: a table that nothing happens to.
-- why: a plan names two.
-- locks: none that matters: the table is new.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
CREATE TABLE {table} (id bigint PRIMARY KEY, body text NOT NULL)
