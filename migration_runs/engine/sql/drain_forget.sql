-- what: takes the entries that were read off the list, and notes their keys for the verification.
-- why: what was touched is compared first and soon; noted with the drain's own writes, so that no key gets lost between
--      them, and not by the application's triggers, whose cost the application pays.
-- locks: rows of the run's own tables, in the order of their keys
-- timeout: the session's
-- undo: none: the drain's transaction
WITH forgotten AS (
    DELETE FROM {touched} WHERE id = ANY (%(ids)s::bigint[]) RETURNING {keys}
)
INSERT INTO {dirty} AS d ({keys})
SELECT DISTINCT {keys} FROM forgotten ORDER BY {keys}
ON CONFLICT ({keys}) DO UPDATE SET xid = excluded.xid
