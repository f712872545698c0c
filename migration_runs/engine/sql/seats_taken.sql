-- what: sessions that hold a seat at one run's copy.
-- why: a phase is paused only when every extra worker on its chunks has stopped, and each is such a session.
-- locks: none beyond the lock table's own.
-- timeout: the session's.
-- undo: none: it reads.
SELECT l.pid
  FROM pg_catalog.pg_locks AS l
 WHERE l.locktype = 'advisory'
   AND l.objsubid = 2
   AND l.granted
   AND l.classid::bigint = %(run)s::bigint
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
