-- what: how many rows of the two sides are equal, missing in the target, extra in it, different, or still to be drained.
-- why: the comparison of every mapped column of every row; counts alone would pass wrong values.
-- locks: ACCESS SHARE on both tables.
-- timeout: the step's.
-- undo: none: it reads.
SELECT state, count(*), count(source_here), count(target_here)
  FROM (SELECT s.phasegate_here AS source_here, t.phasegate_here AS target_here, {state} AS state
          FROM (SELECT true AS phasegate_here, {image} FROM {source} AS s WHERE {rows}) AS s
          FULL JOIN (SELECT true AS phasegate_here, {columns} FROM {target} AS t WHERE {target_rows}) AS t
            ON {join}) AS compared
 GROUP BY state
