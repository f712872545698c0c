-- what: the next keys on the list, as text, and the highest entry that was looked at.
-- why: a few keys per transaction, so that nobody waits long for their rows.
-- locks: ACCESS SHARE
-- timeout: the session's
-- undo: none: it reads
SELECT max(id), {key_text}
  FROM (SELECT * FROM {touched} WHERE id > %(after)s AND id <= %(last)s ORDER BY id LIMIT %(limit)s) AS k
 GROUP BY {keys}
 ORDER BY {keys}
