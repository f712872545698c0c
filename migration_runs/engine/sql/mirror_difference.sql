-- what: a key whose two sides are not equal.
-- why: an echo that finds none ends here, without a lock, a write or a subtransaction. OFFSET 0 makes it a lookup by
--      key for each key, however large the tables have become since the statement was planned.
-- locks: ACCESS SHARE
-- timeout: the application's
-- undo: none: it reads
SELECT FROM {keys}
  LEFT JOIN LATERAL (SELECT s.* FROM {source} AS s WHERE {source_key} AND {source_rows} OFFSET 0) AS s ON true
  LEFT JOIN LATERAL (SELECT t.* FROM {target} AS t WHERE {target_key} AND {target_scope} OFFSET 0) AS t ON true
 WHERE ({source_here} IS NULL) <> ({target_here} IS NULL)
    OR ({source_here} IS NOT NULL AND NOT {equal})
