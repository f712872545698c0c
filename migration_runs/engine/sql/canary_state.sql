-- what: whether the other side has the canary's key, and whether the two sides are equal for it.
-- why: this is what the canary proves.
-- locks: none
-- timeout: the session's
-- undo: none: it reads
SELECT EXISTS (SELECT FROM {keys} JOIN {other} AS r ON {other_key} WHERE {other_rows}), NOT EXISTS ({difference})
