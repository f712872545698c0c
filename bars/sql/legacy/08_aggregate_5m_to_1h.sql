-- what:  aggregate_5m_to_1h_range(symbol, from, to, version) and aggregate_5m_to_1h_window(symbol, window, version).
-- why:   1h bars of any symbol from its derived 5m bars; the range makes all windows in one statement.
-- rule:  open = first open, close = last close, high = max, low = min, volumes and trades summed, VWAP weighted
--        by volume. Of 12 expected bars: 12 give quality 2, 10 or 11 give 1, 8 or 9 give 0, 7 give -1, fewer give no bar.
-- note:  it reads active 5m bars of derived_data_bars only. Trouble is reported as success = false.
--        Windows are half-open and start on the hour; from and to are rounded down to it.
-- undo:  DROP FUNCTION of both.
CREATE FUNCTION public.aggregate_5m_to_1h_range(
    p_symbol text, p_from timestamptz, p_to timestamptz, p_version integer DEFAULT 1
) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    -- once, not per row
    v_now timestamptz := public.market_now();
    v_from    timestamptz;
    v_to      timestamptz;
    v_stored  bigint;
    v_sources bigint;
BEGIN
    v_from := date_bin('1 hour', p_from, 'epoch');
    v_to := date_bin('1 hour', p_to, 'epoch');
    IF p_symbol IS NULL OR v_from IS NULL OR v_to IS NULL OR p_to < p_from THEN
        RAISE EXCEPTION 'unknown symbol or range: symbol %, from %, to %', p_symbol, p_from, p_to
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    WITH source AS (
        SELECT ts_utc, open, high, low, close, vol, vwap, trade_count
          FROM public.derived_data_bars
         WHERE canonical_symbol = p_symbol AND timeframe = '5m' AND ts_utc >= v_from AND ts_utc < v_to
           AND deleted_at IS NULL
    ), bucket AS (
        SELECT date_bin('1 hour', ts_utc, 'epoch') AS window_start,
               count(*) AS n,
               (array_agg(open ORDER BY ts_utc))[1] AS open,
               max(high) AS high,
               min(low) AS low,
               (array_agg(close ORDER BY ts_utc))[count(*)] AS close,
               sum(vol) AS vol,
               sum(vwap * vol) / nullif(sum(vol) FILTER (WHERE vwap IS NOT NULL), 0) AS vwap,
               sum(trade_count) AS trade_count
          FROM source
         WHERE open IS NOT NULL AND high IS NOT NULL AND low IS NOT NULL AND close IS NOT NULL
         GROUP BY window_start
    ), stored AS (
        INSERT INTO public.derived_data_bars AS bar (
            canonical_symbol, timeframe, ts_utc, open, high, low, close, vol, vwap, trade_count, is_partial,
            source, ingested_at, source_timeframe, source_candles, expected_candles, quality_score,
            derivation_version
        )
        SELECT p_symbol, '1h', window_start, open, high, low, close, vol, vwap, trade_count, n < 12,
               'agg', v_now, '5m', n, 12,
               CASE WHEN n >= 12 THEN 2 WHEN n >= 10 THEN 1 WHEN n >= 8 THEN 0 ELSE -1 END, p_version
          FROM bucket
         WHERE n >= 7
         ORDER BY window_start
        ON CONFLICT (canonical_symbol, timeframe, ts_utc) WHERE deleted_at IS NULL
        DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
                      vol = excluded.vol, vwap = excluded.vwap, trade_count = excluded.trade_count,
                      is_partial = excluded.is_partial, source = excluded.source,
                      ingested_at = excluded.ingested_at, source_timeframe = excluded.source_timeframe,
                      source_candles = excluded.source_candles, expected_candles = excluded.expected_candles,
                      quality_score = excluded.quality_score, derivation_version = excluded.derivation_version
        RETURNING bar.source_candles
    )
    SELECT count(*), coalesce(sum(source_candles), 0) INTO v_stored, v_sources FROM stored;

    RETURN jsonb_build_object(
        'success', true, 'stored', v_stored, 'source_count', v_sources,
        'windows', (extract(epoch FROM v_to - v_from) / 3600)::bigint,
        'symbol', p_symbol, 'timeframe', '1h', 'from', v_from, 'to', v_to);
EXCEPTION WHEN OTHERS THEN
    RETURN jsonb_build_object(
        'success', false, 'stored', 0, 'source_count', 0, 'error', SQLERRM, 'sqlstate', SQLSTATE,
        'symbol', p_symbol, 'timeframe', '1h', 'from', p_from, 'to', p_to);
END
$function$;

CREATE FUNCTION public.aggregate_5m_to_1h_window(
    p_symbol text, p_window_start timestamptz, p_version integer DEFAULT 1
) RETURNS jsonb
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
    SELECT public.aggregate_5m_to_1h_range(
        p_symbol, p_window_start, p_window_start + interval '1 hour', p_version)
$function$;
