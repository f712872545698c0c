-- what: the duplicate-safe transition reader: 5m bars are made from each 1m bar once, those of DXY from derived_data_bars.
-- why: once history is copied, the old reader (UNION ALL of both tables) would count every DXY minute twice, double
--   volumes and inflate quality. Phase 2 has shown that derived_data_bars has every DXY minute, and until the deploy (and
--   again after a rollback) it is the side that is written: what data_bars holds of DXY are copies, and never counts.
--   Counting a copy where the derived bar is absent would bring back every bar that is withdrawn after a rollback.
-- locks: none on tables; calls that are running finish with the old body.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image, with the data decision delete. With keep this reader stays: the copied rows stay too, and the
--   old reader would double them.
CREATE OR REPLACE FUNCTION public.aggregate_1m_to_5m_range(
    p_symbol text, p_from timestamptz, p_to timestamptz, p_version integer DEFAULT 1
) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    v_now     timestamptz := public.market_now();
    v_from    timestamptz;
    v_to      timestamptz;
    v_stored  bigint;
    v_sources bigint;
BEGIN
    v_from := date_bin('5 minutes', p_from, 'epoch');
    v_to := date_bin('5 minutes', p_to, 'epoch');
    IF p_symbol IS NULL OR v_from IS NULL OR v_to IS NULL OR p_to < p_from THEN
        RETURN jsonb_build_object(
            'success', false, 'stored', 0, 'source_count', 0, 'sqlstate', '22023',
            'error', 'the symbol or the range is unknown, or the range ends before it starts',
            'symbol', p_symbol, 'timeframe', '5m', 'from', p_from, 'to', p_to);
    END IF;

    WITH source AS (
        SELECT ts_utc, open, high, low, close, vol, vwap, trade_count
          FROM public.derived_data_bars
         WHERE canonical_symbol = p_symbol AND timeframe = '1m' AND ts_utc >= v_from AND ts_utc < v_to
           AND deleted_at IS NULL
        UNION ALL
        SELECT direct.ts_utc, direct.open, direct.high, direct.low, direct.close, direct.vol, direct.vwap,
               direct.trade_count
          FROM public.data_bars AS direct
         WHERE direct.canonical_symbol = p_symbol AND direct.timeframe = '1m'
           AND direct.ts_utc >= v_from AND direct.ts_utc < v_to
           AND p_symbol <> 'DXY'
    ), bucket AS (
        SELECT date_bin('5 minutes', ts_utc, 'epoch') AS window_start,
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
        SELECT p_symbol, '5m', window_start, open, high, low, close, vol, vwap, trade_count, n < 5,
               'agg', v_now, '1m', n, 5,
               CASE WHEN n >= 5 THEN 2 WHEN n = 4 THEN 1 ELSE 0 END, p_version
          FROM bucket
         WHERE n >= 3
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
        'windows', (extract(epoch FROM v_to - v_from) / 300)::bigint,
        'symbol', p_symbol, 'timeframe', '5m', 'from', v_from, 'to', v_to);
EXCEPTION WHEN OTHERS THEN
    -- the aggregator reads this verdict and decides by its sqlstate whether the task failed or only met a lock
    RETURN jsonb_build_object(
        'success', false, 'stored', 0, 'source_count', 0, 'error', SQLERRM, 'sqlstate', SQLSTATE,
        'symbol', p_symbol, 'timeframe', '5m', 'from', p_from, 'to', p_to);
END
$function$;
