-- what: the first rows that differ, in the order of their keys, with the columns that differ and both images.
-- why: a number says that something is wrong, a row says what.
-- locks: ACCESS SHARE on both tables.
-- timeout: the comparison's.
-- undo: none: it reads.
SELECT state, key, differing, source_here, source_row, target_here, target_row
  FROM (SELECT {state} AS state, ARRAY[{key_text}] AS key, array_remove(ARRAY[{differing}], NULL) AS differing,
               s.phasegate_here AS source_here, ARRAY[{source_text}] AS source_row,
               t.phasegate_here AS target_here, ARRAY[{target_text}] AS target_row,
               {order}
          FROM ({source_side}) AS s
          FULL JOIN ({target_side}) AS t ON {join}) AS compared
 WHERE state NOT IN ('equal', 'pending')
 ORDER BY {order_names}
 LIMIT {limit}
