-- what: keys of an UPDATE after which other keys live than before: all of them, and those that live no more.
-- why: an UPDATE may give rows other keys, take them out of the scope or bring them into it. In order, as mirror_collect.sql.
-- locks: none
-- timeout: the application's
-- undo: none: it reads
SELECT {aggregates}
  INTO {variables}
  FROM (SELECT {keys}, bool_or(k.stays) AS stays
          FROM (SELECT {keys}, false AS stays FROM {olds} UNION ALL SELECT {keys}, true FROM {news}) AS k
         GROUP BY {order}
         ORDER BY {order}) AS k
