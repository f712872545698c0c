-- what: lines and revenue on either side.
-- why: to compare the end with the beginning.
-- locks: ACCESS SHARE on both tables.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT (SELECT count(*) FROM sales.order_line_old) AS source_lines,
       (SELECT count(*) FROM sales.order_line) AS target_lines,
       (SELECT sum(quantity * unit_price) FROM sales.order_line_old) AS source_revenue,
       (SELECT sum(quantity * unit_price) FROM sales.order_line) AS target_revenue;
