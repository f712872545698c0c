-- what: order lines without a quantity, or with none above zero.
-- why: nobody orders nothing.
-- locks: ACCESS SHARE on sales.order_line.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT order_id, sku, format('quantity %%s', quantity) AS detail
  FROM sales.order_line
 WHERE order_id >= coalesce(%(lo)s, order_id) AND order_id <= coalesce(%(hi)s, order_id)
   AND (quantity > 0) IS NOT TRUE;
