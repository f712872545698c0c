-- what: the duplicate-safe body of signal_bars: the newest bars of a symbol, each once, 1m bars of DXY from derived_data_bars.
-- why: the signal engine reads through this function until its new version is deployed. With both tables filled the old
--   body (UNION ALL) would give it every DXY minute twice, and half as many minutes as it asked for. As in the transition
--   reader of the aggregation, DXY 1m bars in data_bars are copies and never count, so that a bar that is withdrawn is
--   gone. Of other bars the derived one counts where both tables hold one. The newest p_bars of both tables together are
--   among the newest p_bars of each, so it reads no more of either than before.
-- locks: none on tables; calls that are running finish with the old body.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image, with the data decision delete. With keep this body stays: the copied rows stay too, and the
--   old one would double them.
CREATE OR REPLACE FUNCTION public.signal_bars(p_symbol text, p_timeframe text, p_bars integer)
    RETURNS TABLE (
        ts_utc timestamptz, open double precision, high double precision, low double precision, close double precision
    )
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
    SELECT DISTINCT ON (bar.ts_utc) bar.ts_utc, bar.open, bar.high, bar.low, bar.close
      FROM ((SELECT derived.ts_utc, derived.open, derived.high, derived.low, derived.close, 1 AS preference
               FROM public.derived_data_bars AS derived
              WHERE derived.canonical_symbol = p_symbol AND derived.timeframe = p_timeframe
                AND derived.deleted_at IS NULL
              ORDER BY derived.ts_utc DESC
              LIMIT p_bars)
            UNION ALL
            (SELECT direct.ts_utc, direct.open, direct.high, direct.low, direct.close, 2 AS preference
               FROM public.data_bars AS direct
              WHERE direct.canonical_symbol = p_symbol AND direct.timeframe = p_timeframe
                AND NOT (p_symbol = 'DXY' AND p_timeframe = '1m')
              ORDER BY direct.ts_utc DESC
              LIMIT p_bars)) AS bar
     ORDER BY bar.ts_utc DESC, bar.preference
     LIMIT p_bars
$function$;
