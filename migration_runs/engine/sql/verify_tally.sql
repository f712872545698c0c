-- what: how many rows of the two sides are equal, missing in the target, extra in it, different, or still to be drained;
--       of these last, how long the oldest has waited, and how many have waited longer than the bound.
-- why: the comparison of every mapped column of every row; counts alone would pass wrong values.
-- locks: ACCESS SHARE on both tables.
-- timeout: the comparison's.
-- undo: none: it reads.
SELECT state, count(*), count(source_here), count(target_here),
       max(waited) FILTER (WHERE state = 'pending'),
       count(*) FILTER (WHERE state = 'pending' AND waited > {overdue_s})
  FROM (SELECT source_here, target_here, state, CASE WHEN state = 'pending' THEN {waited} END AS waited
          FROM (SELECT s.phasegate_here AS source_here, t.phasegate_here AS target_here, {state} AS state, {key}
                  FROM ({source_side}) AS s
                  FULL JOIN ({target_side}) AS t ON {join}
                OFFSET 0) AS compared
        OFFSET 0) AS waiting
 GROUP BY state
