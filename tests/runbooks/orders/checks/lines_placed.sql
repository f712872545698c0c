-- what: lines placed since the check before.
-- why: a shop that sells nothing for an hour is broken.
-- locks: ACCESS SHARE on sales.order_line.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT count(*) AS value, format('%%s lines since %%s', count(*), coalesce(%(since)s::timestamptz, '-infinity')) AS detail
  FROM sales.order_line
 WHERE placed_at > coalesce(%(since)s::timestamptz, '-infinity');
