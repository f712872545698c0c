-- what: keys of the chunk whose target row is not what the source row says, and that no trigger has noted as written since.
-- why: such a row was there before the run, or came from somebody else; it must not pass for a copied one. OFFSET 0
--      makes lookups by key, whatever the statistics say of a table that is just being filled. The pairs are those of
--      copy_pairs.sql, or of copy_pairs_by_source.sql where the target does not know the order of the copy.
-- locks: ACCESS SHARE on both tables.
-- timeout: the session's.
-- undo: none: it reads.
SELECT {key_text}
  FROM {pairs}
 WHERE NOT ({equal})
   AND NOT EXISTS (SELECT FROM {touched} AS k WHERE {touched_key} OFFSET 0)
 ORDER BY {order}
 LIMIT {limit}
