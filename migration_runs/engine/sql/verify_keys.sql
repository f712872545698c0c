-- what: the keys of the first rows that differ without a reason, as texts.
-- why: what differed once is looked at once more before it is reported.
-- locks: ACCESS SHARE on both tables.
-- timeout: the comparison's.
-- undo: none: it reads.
SELECT key
  FROM (SELECT {state} AS state, ARRAY[{key_text}] AS key
          FROM ({source_side}) AS s
          FULL JOIN ({target_side}) AS t ON {join}
        OFFSET 0) AS compared
 WHERE state NOT IN ('equal', 'pending')
 LIMIT {limit}
