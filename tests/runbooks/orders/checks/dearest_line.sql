-- what: the dearest line.
-- why: a misplaced decimal point shows here first.
-- locks: ACCESS SHARE on sales.order_line.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT coalesce(max(quantity * unit_price), 0) AS value, 'price of the dearest line' AS detail FROM sales.order_line;
