-- what: the single-table body of signal_bars: 1m bars come from data_bars, longer ones from derived_data_bars.
-- why: the signal engine that is still the old one reads as the new one will, before it is deployed: one table, one row per
--   minute. Until then the mirror keeps data_bars equal.
-- locks: none on tables; calls that are running finish with the transition body.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image: the duplicate-safe body comes back.
CREATE OR REPLACE FUNCTION public.signal_bars(p_symbol text, p_timeframe text, p_bars integer)
    RETURNS TABLE (
        ts_utc timestamptz, open double precision, high double precision, low double precision, close double precision
    )
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
BEGIN
    IF p_timeframe = '1m' THEN
        RETURN QUERY
        SELECT bar.ts_utc, bar.open, bar.high, bar.low, bar.close
          FROM public.data_bars AS bar
         WHERE bar.canonical_symbol = p_symbol AND bar.timeframe = '1m'
         ORDER BY bar.ts_utc DESC
         LIMIT p_bars;
    ELSE
        RETURN QUERY
        SELECT bar.ts_utc, bar.open, bar.high, bar.low, bar.close
          FROM public.derived_data_bars AS bar
         WHERE bar.canonical_symbol = p_symbol AND bar.timeframe = p_timeframe AND bar.deleted_at IS NULL
         ORDER BY bar.ts_utc DESC
         LIMIT p_bars;
    END IF;
END
$function$;
