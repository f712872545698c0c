-- what: a small shop before its migration: order lines in one table, a writer and a reader as functions.
-- why: another shape than the bars: another schema, a key of a number and a text, no soft delete, no trading hours.
-- undo: DROP SCHEMA sales CASCADE.
CREATE SCHEMA sales;

CREATE TABLE sales.order_line_old (
    order_id   bigint NOT NULL,
    sku        text NOT NULL,
    quantity   integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(12, 2) NOT NULL,
    note       text,
    placed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, sku)
);

CREATE TABLE sales.order_line (
    line_no    bigint GENERATED ALWAYS AS IDENTITY,
    order_id   bigint NOT NULL,
    sku        text NOT NULL,
    quantity   integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(12, 2) NOT NULL,
    note       text,
    placed_at  timestamptz NOT NULL,
    channel    text NOT NULL,
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    PRIMARY KEY (order_id, sku)
);

CREATE FUNCTION sales.place_line(
    p_order_id bigint, p_sku text, p_quantity integer, p_unit_price numeric, p_note text DEFAULT NULL
) RETURNS boolean
    LANGUAGE sql
AS $function$
    INSERT INTO sales.order_line_old AS line (order_id, sku, quantity, unit_price, note)
    VALUES (p_order_id, p_sku, p_quantity, p_unit_price, p_note)
    ON CONFLICT (order_id, sku)
    DO UPDATE SET quantity = excluded.quantity, unit_price = excluded.unit_price, note = excluded.note
    RETURNING true
$function$;

CREATE FUNCTION sales.revenue(p_from timestamptz, p_to timestamptz) RETURNS numeric
    LANGUAGE sql STABLE
AS $function$
    SELECT coalesce(sum(quantity * unit_price), 0)
      FROM sales.order_line_old
     WHERE placed_at >= p_from AND placed_at < p_to
$function$;

INSERT INTO sales.order_line_old (order_id, sku, quantity, unit_price, note, placed_at)
SELECT n / 3, 'sku-' || n % 3, 1 + n % 5, round((n % 997)::numeric / 7, 2), CASE WHEN n % 4 = 0 THEN 'gift ' || n END,
       now() - make_interval(mins => (5000 - n) % 5000)
  FROM generate_series(3, 5000) AS n;

ANALYZE sales.order_line_old, sales.order_line;
