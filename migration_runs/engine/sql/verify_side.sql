-- what: the rows of one side that are compared, in the columns of the target.
-- why: both sides of every comparison are made of it.
-- locks: ACCESS SHARE on the table.
-- timeout: the comparison's.
-- undo: none: it reads.
SELECT true AS phasegate_here, {image} FROM {table} AS r WHERE {rows}
