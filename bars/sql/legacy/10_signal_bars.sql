-- what:  signal_bars(symbol, timeframe, bars): the newest bars of a symbol, newest first.
-- why:   what the legacy signal engine reads. It does not know in which table a symbol lives, so it reads both.
-- rule:  at most p_bars rows; each table gives its newest p_bars by its index, so the cost does not grow with history.
-- note:  UNION ALL of data_bars and derived_data_bars, like aggregate_1m_to_5m_range: a minute that is in *both* comes
--        twice, and half of the rows asked for are then missing at the old end. One statement, so one snapshot.
-- undo:  DROP FUNCTION public.signal_bars(text, text, integer).
CREATE FUNCTION public.signal_bars(p_symbol text, p_timeframe text, p_bars integer)
    RETURNS TABLE (
        ts_utc timestamptz, open double precision, high double precision, low double precision, close double precision
    )
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
    SELECT bar.ts_utc, bar.open, bar.high, bar.low, bar.close
      FROM ((SELECT direct.ts_utc, direct.open, direct.high, direct.low, direct.close
               FROM public.data_bars AS direct
              WHERE direct.canonical_symbol = p_symbol AND direct.timeframe = p_timeframe
              ORDER BY direct.ts_utc DESC
              LIMIT p_bars)
            UNION ALL
            (SELECT derived.ts_utc, derived.open, derived.high, derived.low, derived.close
               FROM public.derived_data_bars AS derived
              WHERE derived.canonical_symbol = p_symbol AND derived.timeframe = p_timeframe
                AND derived.deleted_at IS NULL
              ORDER BY derived.ts_utc DESC
              LIMIT p_bars)) AS bar
     ORDER BY bar.ts_utc DESC
     LIMIT p_bars
$function$;
