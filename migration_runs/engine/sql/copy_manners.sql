-- what: how the transaction of a chunk goes about it: by index, and without waiting for the disk at its end.
-- why: stale statistics must not turn every chunk into a full scan. Rows and their record are one transaction, so a crash
--      of the server loses both or neither; whatever is committed later and waits for the disk, the end of the step
--      included, takes them along.
-- locks: none
-- timeout: the session's.
-- undo: ends with the transaction.
SET LOCAL enable_seqscan = off;
SET LOCAL synchronous_commit = off
