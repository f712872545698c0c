-- what: the distinct keys of the statement's rows, in order, as arrays.
-- why: in order, so that two statements take the other side's locks in the same order.
-- locks: none
-- timeout: the application's
-- undo: none: it reads
SELECT {aggregates}
  INTO {variables}
  FROM (SELECT {keys}, bool_or(r.was) AS was, bool_or(r.stays) AS stays
          FROM ({rows}) AS r
         GROUP BY {keys}
         ORDER BY {keys}) AS r
