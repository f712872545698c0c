-- what:  calc_dxy_range_derived(from, to, tf, version): derives the DXY 1m bars of [from, to) into derived_data_bars.
-- why:   the feed calls it each minute; operators call it over a range to derive history again.
-- rule:  DXY = 50.14348112 * EURUSD^-0.576 * USDJPY^0.136 * GBPUSD^-0.119 * USDCAD^0.091 * USDSEK^0.042
--        * USDCHF^0.036 of the six 1m closes. The product is taken in this order: whoever wants the same
--        float bit for bit multiplies in the same order. A close that is missing, <= 0, infinite or NaN
--        gives no bar; every minute of the range without a bar counts as skipped.
-- note:  as all functions of this system, it reports trouble as success = false and does not raise:
--        the caller has to read the verdict.
-- undo:  DROP FUNCTION calc_dxy_range_derived(timestamptz, timestamptz, text, integer).
CREATE FUNCTION public.calc_dxy_range_derived(
    p_from timestamptz, p_to timestamptz, p_tf text DEFAULT '1m', p_version integer DEFAULT 1
) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    -- once, not per row
    v_now timestamptz := public.market_now();
    v_upserted bigint;
    v_minutes  bigint;
BEGIN
    IF p_from IS NULL OR p_to IS NULL OR p_version IS NULL OR p_to <= p_from THEN
        RAISE EXCEPTION 'empty or unknown range: from %, to %, version %', p_from, p_to, p_version
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_tf IS DISTINCT FROM '1m' THEN
        RAISE EXCEPTION 'DXY is derived as 1m only, not as %', p_tf
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_minutes := ceil(extract(epoch FROM p_to) / 60) - ceil(extract(epoch FROM p_from) / 60);

    WITH component AS (
        SELECT ts_utc,
               max(close) FILTER (WHERE canonical_symbol = 'EURUSD') AS eurusd,
               max(close) FILTER (WHERE canonical_symbol = 'USDJPY') AS usdjpy,
               max(close) FILTER (WHERE canonical_symbol = 'GBPUSD') AS gbpusd,
               max(close) FILTER (WHERE canonical_symbol = 'USDCAD') AS usdcad,
               max(close) FILTER (WHERE canonical_symbol = 'USDSEK') AS usdsek,
               max(close) FILTER (WHERE canonical_symbol = 'USDCHF') AS usdchf
          FROM public.data_bars
         WHERE canonical_symbol IN ('EURUSD', 'USDJPY', 'GBPUSD', 'USDCAD', 'USDSEK', 'USDCHF')
           AND timeframe = '1m'
           AND ts_utc >= p_from AND ts_utc < p_to
           -- NaN sorts above infinity, so this one comparison refuses both
           AND close > 0 AND close < 'infinity'
         GROUP BY ts_utc
        HAVING count(*) = 6
    ), priced AS (
        SELECT ts_utc,
               50.14348112 * power(eurusd, -0.576::float8) * power(usdjpy, 0.136::float8)
               * power(gbpusd, -0.119::float8) * power(usdcad, 0.091::float8)
               * power(usdsek, 0.042::float8) * power(usdchf, 0.036::float8) AS price
          FROM component
    )
    INSERT INTO public.derived_data_bars AS bar (
        canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at,
        source_timeframe, source_candles, expected_candles, quality_score, derivation_version, raw
    )
    SELECT 'DXY', '1m', ts_utc, price, price, price, price, false, 'dxy', v_now,
           '1m', 6, 6, 2, p_version, '{"kind": "dxy", "components": 6}'::jsonb
      FROM priced
     ORDER BY ts_utc
    ON CONFLICT (canonical_symbol, timeframe, ts_utc) WHERE deleted_at IS NULL
    DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
                  is_partial = excluded.is_partial, source = excluded.source,
                  ingested_at = excluded.ingested_at, source_timeframe = excluded.source_timeframe,
                  source_candles = excluded.source_candles, expected_candles = excluded.expected_candles,
                  quality_score = excluded.quality_score, derivation_version = excluded.derivation_version,
                  raw = excluded.raw;
    GET DIAGNOSTICS v_upserted = ROW_COUNT;

    RETURN jsonb_build_object(
        'success', true, 'upserted', v_upserted, 'skipped', v_minutes - v_upserted,
        'from', p_from, 'to', p_to, 'timeframe', p_tf, 'version', p_version);
EXCEPTION WHEN OTHERS THEN
    RETURN jsonb_build_object(
        'success', false, 'upserted', 0, 'skipped', 0, 'error', SQLERRM, 'sqlstate', SQLSTATE,
        'from', p_from, 'to', p_to, 'timeframe', p_tf, 'version', p_version);
END
$function$;
