-- what: keys of the chunk whose target row is not what the source row says, and that no trigger has noted as written since.
-- why: such a row was there before the run, or came from somebody else; it must not pass for a copied one.
-- locks: ACCESS SHARE on both tables.
-- timeout: the session's.
-- undo: none: it reads.
SELECT {key_text}
  FROM {source} AS s
  JOIN {target} AS t ON {join}
 WHERE {rows} AND {range} AND {target_rows}
   AND NOT ({equal})
   AND NOT EXISTS (SELECT FROM {touched} AS k WHERE {touched_key})
 ORDER BY {order}
 LIMIT {limit}
