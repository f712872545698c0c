-- what: forgets keys that were compared and found equal.
-- why: only those noted by transactions that the comparison saw whole: one noted again since is compared again.
-- locks: rows of the run's own table
-- timeout: the session's
-- undo: none: the keys are compared by every full pass, too
DELETE FROM {dirty} AS k WHERE {range} AND pg_visible_in_snapshot(k.xid, {snapshot}::pg_snapshot)
