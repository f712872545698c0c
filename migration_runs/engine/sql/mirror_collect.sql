-- what: the distinct keys of the statement's rows, in order, as arrays.
-- why: in order, so that two statements take the other side's locks in the same order. Key columns that the scope fixes
--      come last: they never decide, and comparing them first would cost most of the sort.
-- locks: none
-- timeout: the application's
-- undo: none: it reads
SELECT {aggregates}
  INTO {variables}
  FROM (SELECT {keys}{was_and_stays}
          FROM ({rows}) AS r
         GROUP BY {order}
         ORDER BY {order}) AS r
