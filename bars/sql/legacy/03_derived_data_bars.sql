-- what:  derived_data_bars, bars computed from other bars: DXY 1m, and every 5m and 1h bar.
-- why:   a derived bar says from what and how well it was made; a withdrawn one keeps its row (deleted_at).
-- note:  the unique index is partial: one *active* row per key, any number of withdrawn ones.
--        Row-level security is on and has no policy: who neither owns the table nor bypasses RLS sees 0 rows.
-- undo:  DROP TABLE derived_data_bars; DROP FUNCTION set_updated_at().
CREATE TABLE public.derived_data_bars (
    id                 bigserial PRIMARY KEY,
    canonical_symbol   text NOT NULL,
    timeframe          text NOT NULL,
    ts_utc             timestamptz NOT NULL,
    open               double precision NOT NULL,
    high               double precision NOT NULL,
    low                double precision NOT NULL,
    close              double precision NOT NULL,
    vol                double precision,
    vwap               double precision,
    trade_count        integer,
    is_partial         boolean NOT NULL DEFAULT false,
    source             text NOT NULL DEFAULT 'agg',
    ingested_at        timestamptz NOT NULL DEFAULT now(),
    source_timeframe   text,
    source_candles     integer,
    expected_candles   integer,
    quality_score      smallint,
    derivation_version integer NOT NULL DEFAULT 1,
    raw                jsonb NOT NULL DEFAULT '{}'::jsonb,
    deleted_at         timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT derived_data_bars_quality_range CHECK (quality_score BETWEEN -1 AND 2)
);

CREATE UNIQUE INDEX derived_data_bars_active_key
    ON public.derived_data_bars (canonical_symbol, timeframe, ts_utc)
    WHERE deleted_at IS NULL;

ALTER TABLE public.derived_data_bars ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION public.set_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $function$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$function$;

CREATE TRIGGER derived_data_bars_set_updated_at
    BEFORE UPDATE ON public.derived_data_bars
    FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();
