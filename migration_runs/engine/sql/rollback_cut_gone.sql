-- what: the number of the row that ends the next piece of the list of gone rows.
-- why: a rollback revives in pieces, each one transaction.
-- locks: ACCESS SHARE on the list.
-- timeout: the session's.
-- undo: none: it reads.
SELECT max(piece.id), count(*)
  FROM (SELECT g.id FROM {gone} AS g WHERE g.id > {lo} ORDER BY g.id LIMIT {size}) AS piece
