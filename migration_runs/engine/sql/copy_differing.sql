-- what: keys of the chunk whose target row is not what the source row says, and that no trigger has noted as written since.
-- why: such a row was there before the run, or came from somebody else; it must not pass for a copied one. OFFSET 0
--      makes lookups by key, whatever the statistics say of a table that is just being filled.
-- locks: ACCESS SHARE on both tables.
-- timeout: the session's.
-- undo: none: it reads.
SELECT {key_text}
  FROM {source} AS s
 CROSS JOIN LATERAL (SELECT t.* FROM {target} AS t WHERE {join} AND {target_rows} OFFSET 0) AS t
 WHERE {rows} AND {range}
   AND NOT ({equal})
   AND NOT EXISTS (SELECT FROM {touched} AS k WHERE {touched_key} OFFSET 0)
 ORDER BY {order}
 LIMIT {limit}
