-- what: puts every target key in scope on the list of keys to look at again.
-- why: rows that were there before forward went on may be wrong or extra; the drain makes them what the source says.
-- locks: ACCESS SHARE on the target
-- timeout: the step's
-- undo: none needed: it is the run's own table
INSERT INTO {touched} (side, {keys})
SELECT 'source', {target_keys} FROM {target} AS t WHERE {target_scope}
