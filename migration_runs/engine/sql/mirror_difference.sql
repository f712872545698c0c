-- what: a key whose two sides are not equal.
-- why: an echo that finds none ends here, without a lock, a write or a subtransaction.
-- locks: ACCESS SHARE
-- timeout: the application's
-- undo: none: it reads
SELECT FROM {keys}
  LEFT JOIN {source} AS s ON {source_key} AND {source_rows}
  LEFT JOIN {target} AS t ON {target_key} AND {target_scope}
 WHERE ({source_here} IS NULL) <> ({target_here} IS NULL)
    OR ({source_here} IS NOT NULL AND NOT {equal})
