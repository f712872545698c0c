-- what: the first rows that differ, in the order of their keys, with both images.
-- why: a number says that something is wrong, a row says what.
-- locks: ACCESS SHARE on both tables.
-- timeout: the step's.
-- undo: none: it reads.
SELECT state, key, source_here, source_row, target_here, target_row
  FROM (SELECT {state} AS state, ARRAY[{key_text}] AS key,
               s.phasegate_here AS source_here, ARRAY[{source_text}] AS source_row,
               t.phasegate_here AS target_here, ARRAY[{target_text}] AS target_row,
               {order}
          FROM (SELECT true AS phasegate_here, {image} FROM {source} AS s WHERE {rows}) AS s
          FULL JOIN (SELECT true AS phasegate_here, {columns} FROM {target} AS t WHERE {target_rows}) AS t
            ON {join}) AS compared
 WHERE state NOT IN ('equal', 'pending')
 ORDER BY {order_names}
 LIMIT {limit}
