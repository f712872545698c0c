-- what: how many rows each side has of the part that is compared, and how many pairs are equal in every mapped column.
-- why: where the three numbers are one, there is nothing to tell apart; one aggregate in parallel costs half of a
--      grouping by kind.
-- locks: ACCESS SHARE on both tables.
-- timeout: the comparison's.
-- undo: none: it reads.
SELECT count(s.phasegate_here), count(t.phasegate_here),
       count(*) FILTER (WHERE s.phasegate_here AND t.phasegate_here AND {equal})
  FROM ({source_side}) AS s
  FULL JOIN ({target_side}) AS t ON {join}
