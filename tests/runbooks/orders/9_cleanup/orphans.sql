-- what: the old table is empty, and no sync trigger is left.
-- why: a line that is left in the old table is seen by nobody.
-- locks: ACCESS SHARE on sales.order_line_old.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT count(*) = 0 AS ok, format('lines left in the old table: %s', count(*)) AS message FROM sales.order_line_old
UNION ALL
SELECT count(*) = 0, format('sync triggers left: %s', count(*))
  FROM pg_catalog.pg_trigger AS found
  JOIN pg_catalog.pg_proc AS routine ON routine.oid = found.tgfoid
 WHERE found.tgrelid IN (to_regclass('sales.order_line_old'), to_regclass('sales.order_line'))
   AND routine.pronamespace = to_regnamespace('phasegate');
