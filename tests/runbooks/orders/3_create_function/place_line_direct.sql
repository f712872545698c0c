-- what: place_line_direct writes a line into the new table.
-- why: the writer after the migration.
-- locks: none on tables.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image: it did not exist, so it is dropped.
CREATE OR REPLACE FUNCTION sales.place_line_direct(
    p_order_id bigint, p_sku text, p_quantity integer, p_unit_price numeric, p_note text DEFAULT NULL
) RETURNS boolean
    LANGUAGE sql
AS $function$
    INSERT INTO sales.order_line AS line (order_id, sku, quantity, unit_price, note, placed_at, channel, currency)
    VALUES (p_order_id, p_sku, p_quantity, p_unit_price, p_note, now(), 'shop', 'EUR')
    ON CONFLICT (order_id, sku)
    DO UPDATE SET quantity = excluded.quantity, unit_price = excluded.unit_price, note = excluded.note
    RETURNING true
$function$;
