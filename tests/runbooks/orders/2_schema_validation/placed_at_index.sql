-- what: sales.order_line has an index on placed_at.
-- why: the revenue of a day must not read the whole table.
-- locks: none.
-- timeout: lock 500 ms, statement 60 s
-- undo: none needed, it reads only; its repair has an undo of its own.
SELECT to_regclass('sales.order_line_placed_at') IS NOT NULL AS ok, 'index order_line_placed_at exists' AS message;
