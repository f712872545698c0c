-- what: drop the index on placed_at.
-- why: this run built it.
-- locks: SHARE UPDATE EXCLUSIVE on sales.order_line.
-- timeout: lock 500 ms, statement 60 s
-- undo: placed_at_index_repair.sql builds it again.
DROP INDEX CONCURRENTLY IF EXISTS sales.order_line_placed_at;
