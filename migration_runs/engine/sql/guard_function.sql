-- what: refuses TRUNCATE.
-- why: it has no rows to mirror, and would leave the other table as it is.
-- locks: none
-- timeout: the session's
-- undo: DROP FUNCTION, with the triggers
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $guard$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of %.% is refused while a migration keeps it equal with another table',
                    TG_TABLE_SCHEMA, TG_TABLE_NAME
          USING ERRCODE = 'object_in_use', HINT = 'Use DELETE, or wait until the migration has ended.';
END
$guard$
