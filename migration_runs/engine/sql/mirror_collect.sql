-- what: the distinct keys of the statement's rows, in order, as arrays.
-- why: in order, so that two statements take the other side's locks in the same order.
-- locks: none
-- timeout: the application's
-- undo: none: it reads
(SELECT {aggregates}
   FROM (SELECT {keys} FROM {table} AS r WHERE {rows} GROUP BY {order} ORDER BY {order}) AS r) AS {table}
