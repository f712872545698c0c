-- what: a key for which the transaction sees two rows on the writer's side.
-- why: at REPEATABLE READ and above a row that somebody else has taken away since stays visible beside the one that this
--      transaction made of the same key. Written to the other side, the dead row could come last and win.
-- locks: ACCESS SHARE
-- timeout: the application's
-- undo: none: it reads
SELECT FROM {rows}
 GROUP BY {keys} HAVING count(*) > 1
