-- what: the new reader gives the revenue of all settled lines that the old table gives.
-- why: the same question must have the same answer.
-- locks: ACCESS SHARE on both tables.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT sales.revenue('-infinity', now() - interval '1 minute')
       = coalesce((SELECT sum(quantity * unit_price)
                     FROM sales.order_line_old
                    WHERE placed_at < now() - interval '1 minute'), 0) AS ok,
       'old and new reader agree on every line older than a minute' AS message;
