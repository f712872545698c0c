-- what:  the state tables around the bars: aggregation cursors, ingest cursors, the operations log, deployed code.
-- why:   aggregator, feed and on-call read and write them; each names its own position, so a restart goes on.
-- note:  last_agg_bar_ts_utc is the start of the *next* window to aggregate, whatever its name suggests.
--        ops_runlog carries two times: logged_at is real, market_ts is the market's (equal in production).
-- undo:  DROP TABLE bars_deployment, ops_runlog, data_ingest_state, data_agg_state.
CREATE TABLE public.data_agg_state (
    canonical_symbol          text NOT NULL REFERENCES public.core_asset_registry_all (canonical_symbol),
    timeframe                 text NOT NULL,
    source_timeframe          text NOT NULL,
    run_interval_minutes      integer NOT NULL CHECK (run_interval_minutes > 0),
    aggregation_delay_seconds integer NOT NULL DEFAULT 10 CHECK (aggregation_delay_seconds >= 0),
    last_agg_bar_ts_utc       timestamptz,
    status                    text NOT NULL DEFAULT 'idle'
                              CHECK (status IN ('idle', 'running', 'disabled', 'hard_failed')),
    is_mandatory              boolean NOT NULL DEFAULT false,
    hard_fail_streak          integer NOT NULL DEFAULT 0,
    next_run_at               timestamptz NOT NULL,
    last_attempted_at         timestamptz,
    last_successful_at        timestamptz,
    last_error                text,
    PRIMARY KEY (canonical_symbol, timeframe)
);

CREATE TABLE public.data_ingest_state (
    canonical_symbol text NOT NULL REFERENCES public.core_asset_registry_all (canonical_symbol),
    timeframe        text NOT NULL,
    next_ts_utc      timestamptz NOT NULL,
    last_bar_ts_utc  timestamptz,
    last_run_at      timestamptz,
    PRIMARY KEY (canonical_symbol, timeframe)
);

CREATE TABLE public.ops_runlog (
    id        bigserial PRIMARY KEY,
    logged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    market_ts timestamptz NOT NULL DEFAULT public.market_now(),
    component text NOT NULL,
    level     text NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    message   text NOT NULL,
    detail    jsonb NOT NULL DEFAULT '{}'::jsonb
);

CREATE TABLE public.bars_deployment (
    component   text PRIMARY KEY CHECK (component IN ('feed', 'aggregator', 'signals')),
    version     text NOT NULL CHECK (version IN ('legacy', 'migrated')),
    deployed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
