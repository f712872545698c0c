-- what: place a line with the new function and read it back.
-- why: shows that it works, on one line. It is rolled back.
-- locks: ROW EXCLUSIVE on sales.order_line.
-- timeout: lock 200 ms, statement 5 s
-- undo: none needed, it is rolled back.
CREATE TEMPORARY TABLE trial_call ON COMMIT DROP AS
SELECT sales.place_line_direct(-1, 'trial', 2, 3.50, 'trial') AS placed;

SELECT coalesce(bool_and(call.placed AND line.quantity = 2 AND line.unit_price = 3.50), false) AS ok
  FROM pg_temp.trial_call AS call
  LEFT JOIN sales.order_line AS line ON line.order_id = -1 AND line.sku = 'trial';
