-- what: a set of keys as rows; columns that the scope fixes have the same value in each.
-- why: OFFSET 0 hides that value from the planner, which might have statistics from before such rows were there, take them
--      for hardly any, and walk through all of them.
-- locks: none
-- timeout: as set by the caller
-- undo: none: it reads
(SELECT {columns} FROM {free} OFFSET 0) AS k
