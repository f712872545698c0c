-- what: as mirror_look_up.sql, where all but one of the key's columns have one value for all rows.
-- why: the keys are an array, and one walk through the key's index finds all of them, in order. What the scope fixes is given
--      as variables: told as constants, the planner would believe statistics from before those rows were there.
-- locks: ACCESS SHARE
-- timeout: as set by the caller
-- undo: none: it reads
{table} AS {alias}
 WHERE {key} AND {rows}
 ORDER BY {order}
