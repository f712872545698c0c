-- what: the single-table reader: 5m bars are made from the 1m bars of data_bars, and of nothing else.
-- why: the way of reading after the migration: one table, one row per minute, no UNION ALL.
-- locks: none on tables; calls that are running finish with the transition reader.
-- timeout: lock 200 ms, statement 5 s
-- undo: the before-image: the transition reader comes back.
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
          FROM public.data_bars
         WHERE canonical_symbol = p_symbol AND timeframe = '1m' AND ts_utc >= v_from AND ts_utc < v_to
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
