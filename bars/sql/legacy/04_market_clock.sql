-- what:  market_clock and market_now(): what time it is on this market.
-- why:   production has no row and runs on its own time. A demo or rehearsal has one row, so that a market
--        which starts on a Monday morning can be replayed at any hour, and faster than real time.
-- note:  market_now() is fixed within one statement (statement_timestamp), so it may bound an index scan.
--        speed = market seconds per real second.
-- undo:  DROP FUNCTION market_now(); DROP TABLE market_clock.
CREATE TABLE public.market_clock (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    real_start   timestamptz NOT NULL,
    market_start timestamptz NOT NULL,
    speed        double precision NOT NULL DEFAULT 1 CHECK (speed > 0)
);

CREATE FUNCTION public.market_now() RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
    SELECT coalesce(
        (SELECT market_start + (statement_timestamp() - real_start) * speed FROM public.market_clock),
        statement_timestamp()
    )
$function$;
