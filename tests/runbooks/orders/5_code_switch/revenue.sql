-- what: revenue is read from the new table.
-- why: the reader after the migration.
-- locks: none on tables.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image: the old reader comes back. It reads the old table alone, which stays complete.
CREATE OR REPLACE FUNCTION sales.revenue(p_from timestamptz, p_to timestamptz) RETURNS numeric
    LANGUAGE sql STABLE
AS $function$
    SELECT coalesce(sum(quantity * unit_price), 0)
      FROM sales.order_line
     WHERE placed_at >= p_from AND placed_at < p_to
$function$;
