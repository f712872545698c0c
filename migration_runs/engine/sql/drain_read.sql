-- what: for each key the side of its highest entry, and all its entries.
-- why: the highest entry's side wins.
-- locks: ACCESS SHARE
-- timeout: the session's
-- undo: none: it reads
SELECT {key_text}, (array_agg(e.side ORDER BY e.id DESC))[1], array_agg(e.id)
  FROM {keys} JOIN {touched} AS e ON {entry_key}
 GROUP BY {key_names}
