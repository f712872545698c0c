-- what: build the index on placed_at.
-- why: it is missing.
-- locks: SHARE UPDATE EXCLUSIVE on sales.order_line, while it is built.
-- timeout: lock 500 ms, statement 60 s
-- undo: placed_at_index_undo.sql drops it.
CREATE INDEX CONCURRENTLY order_line_placed_at ON sales.order_line (placed_at);
