-- what: calc_dxy_range_1m(from, to, version) derives the DXY 1m bars of [from, to) into data_bars.
-- why: the one writer of DXY 1m after the migration. It multiplies in the same order as calc_dxy_range_derived, so that
--   both give the same number to the last bit. What data_bars has no column for goes into raw, under the keys that the
--   move uses. A range that makes no sense is answered with success = false; any other trouble is raised, never
--   swallowed. Into a range without bars it inserts, which is a quarter cheaper than asking for every bar whether it is
--   there; where one is, or where somebody was faster, it writes over. It holds 16 bytes of memory for each minute.
-- locks: none on tables; nobody calls it yet.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image: it did not exist, so it is dropped.
CREATE OR REPLACE FUNCTION public.calc_dxy_range_1m(
    p_from timestamptz, p_to timestamptz, p_version integer DEFAULT 1
) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET timezone = 'UTC'
AS $function$
DECLARE
    v_now      timestamptz := public.market_now();
    v_minutes  bigint;
    v_times    timestamptz[];
    v_prices   double precision[];
    v_raw      jsonb;
    v_over     boolean;
    v_upserted bigint;
BEGIN
    IF p_from IS NULL OR p_to IS NULL OR p_version IS NULL OR p_to <= p_from THEN
        RETURN jsonb_build_object(
            'success', false, 'upserted', 0, 'skipped', 0, 'from', p_from, 'to', p_to, 'version', p_version,
            'error', 'the range is empty or unknown, or no version was given');
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
           -- NaN sorts above infinity: one comparison refuses both
           AND close > 0 AND close < 'infinity'
         GROUP BY ts_utc
        HAVING count(*) = 6
    ), priced AS (
        SELECT ts_utc,
               50.14348112 * power(eurusd, -0.576::float8) * power(usdjpy, 0.136::float8)
               * power(gbpusd, -0.119::float8) * power(usdcad, 0.091::float8)
               * power(usdsek, 0.042::float8) * power(usdchf, 0.036::float8) AS price
          FROM component
         ORDER BY ts_utc
    )
    SELECT array_agg(ts_utc), array_agg(price) INTO v_times, v_prices FROM priced;

    -- the same for every bar of the call: once, not per row
    v_raw := jsonb_build_object(
        'kind', 'dxy', 'source', 'dxy', 'source_timeframe', '1m', 'source_candles', 6,
        'expected_candles', 6, 'quality_score', 2, 'derivation_version', p_version, 'created_at', v_now,
        'raw', '{"kind": "dxy", "components": 6}'::jsonb);
    v_over := EXISTS (
        SELECT FROM public.data_bars
         WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND ts_utc >= p_from AND ts_utc < p_to);
    IF NOT v_over THEN
        BEGIN
            INSERT INTO public.data_bars (
                canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at, raw
            )
            SELECT 'DXY', '1m', ts_utc, price, price, price, price, false, 'synthetic', v_now, v_raw
              FROM unnest(v_times, v_prices) AS derived (ts_utc, price);
            GET DIAGNOSTICS v_upserted = ROW_COUNT;
        EXCEPTION WHEN unique_violation THEN
            v_over := true;
        END;
    END IF;
    IF v_over THEN
        INSERT INTO public.data_bars AS bar (
            canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at, raw
        )
        SELECT 'DXY', '1m', ts_utc, price, price, price, price, false, 'synthetic', v_now, v_raw
          FROM unnest(v_times, v_prices) AS derived (ts_utc, price)
        ON CONFLICT (canonical_symbol, timeframe, ts_utc)
        DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
                      is_partial = excluded.is_partial, source = excluded.source, ingested_at = excluded.ingested_at,
                      -- a bar that is derived again keeps the time at which it was first created
                      raw = excluded.raw || jsonb_strip_nulls(
                          jsonb_build_object('created_at', bar.raw -> 'created_at'));
        GET DIAGNOSTICS v_upserted = ROW_COUNT;
    END IF;

    RETURN jsonb_build_object(
        'success', true, 'upserted', v_upserted, 'skipped', v_minutes - v_upserted,
        'from', p_from, 'to', p_to, 'timeframe', '1m', 'version', p_version);
END
$function$;

ALTER FUNCTION public.calc_dxy_range_1m(timestamptz, timestamptz, integer) OWNER TO bars_owner;

REVOKE EXECUTE ON FUNCTION public.calc_dxy_range_1m(timestamptz, timestamptz, integer) FROM PUBLIC;
