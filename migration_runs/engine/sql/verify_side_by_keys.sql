-- what: the rows of one side that have one of the given keys, in the columns of the target.
-- why: a few touched keys among many rows are found by index, each by itself, whatever the planner believes of the list.
-- locks: ACCESS SHARE on the table.
-- timeout: the comparison's.
-- undo: none: it reads.
SELECT true AS phasegate_here, {image}
  FROM {keys}
 CROSS JOIN LATERAL (SELECT r.* FROM {table} AS r WHERE {row_key} AND {rows} OFFSET 0) AS r
