-- what:  session-local functions (pg_temp) that say what the invented market did in any minute.
-- why:   loader and feed must agree on every minute, and a minute that is ingested again must come out the same:
--        every value is a function of (seed, pair, minute), nothing is remembered. They vanish with the session.
-- rule:  a minute is counted from 1970-01-01 00:00 UTC. FX trades Sunday 22:00 to Friday 22:00 UTC; minute 5640 was the
--        first Sunday 22:00. A price is the straight line between the reference rates of two days (set at 14:00 UTC,
--        minute 840) times a sum of interpolated noise at six scales, its size growing with the root of the scale.
-- undo:  none needed: closing the session removes them.

-- uniform noise in [-1, 1)
CREATE OR REPLACE FUNCTION pg_temp.unit_noise(p_key bigint, p_at bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE AS $function$
    SELECT (hashint8extended(p_at, p_key) & 9007199254740991)::float8 / 4503599627370496.0::float8 - 1.0::float8
$function$;

-- noise on a grid of p_period minutes, straight lines between
CREATE OR REPLACE FUNCTION pg_temp.wave(p_key bigint, p_minute bigint, p_period bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE AS $function$
    SELECT pg_temp.unit_noise(p_key + p_period, p_minute / p_period)
               * (1.0::float8 - (p_minute % p_period)::float8 / p_period)
         + pg_temp.unit_noise(p_key + p_period, p_minute / p_period + 1)
               * ((p_minute % p_period)::float8 / p_period)
$function$;

-- the price of a pair at the start of a minute, rounded to 1 / p_scale
CREATE OR REPLACE FUNCTION pg_temp.pair_price(
    p_key bigint, p_minute bigint, p_level double precision, p_next_level double precision,
    p_day_start bigint, p_scale double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE AS $function$
    SELECT round((p_level + (p_next_level - p_level) * ((p_minute - p_day_start)::float8 / 1440.0::float8))
                 * (1.0::float8
                    + 0.00110::float8 * pg_temp.wave(p_key, p_minute, 720)
                    + 0.00055::float8 * pg_temp.wave(p_key, p_minute, 180)
                    + 0.00027::float8 * pg_temp.wave(p_key, p_minute, 45)
                    + 0.00013::float8 * pg_temp.wave(p_key, p_minute, 11)
                    + 0.00007::float8 * pg_temp.wave(p_key, p_minute, 3)
                    + 0.00004::float8 * pg_temp.unit_noise(p_key, p_minute))
                 * p_scale) / p_scale
$function$;

CREATE OR REPLACE FUNCTION pg_temp.fx_open(p_minute bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $function$
    SELECT (p_minute - 5640) % 10080 < 7200
$function$;

-- the pair (1 to 6) whose bar is missing in this minute; 0: none is. About one minute in 211 lacks one.
CREATE OR REPLACE FUNCTION pg_temp.missing_pair(p_seed bigint, p_minute bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE AS $function$
    SELECT CASE WHEN (hashint8extended(p_minute, p_seed * 1000003 + 11) & 1073741823) % 211 = 0
                THEN ((hashint8extended(p_minute, p_seed * 1000003 + 12) & 1073741823) % 6 + 1)::integer
                ELSE 0 END
$function$;

-- what became of a DXY bar of the past: 'withdrawn' (soft-deleted), 'replaced' (soft-deleted and derived again), 'kept'
CREATE OR REPLACE FUNCTION pg_temp.dxy_fate(p_seed bigint, p_minute bigint) RETURNS text
    LANGUAGE sql IMMUTABLE AS $function$
    SELECT CASE (hashint8extended(p_minute, p_seed * 1000003 + 13) & 1073741823) % 397
               WHEN 0 THEN 'withdrawn' WHEN 1 THEN 'replaced' WHEN 2 THEN 'replaced' ELSE 'kept' END
$function$;

-- what the provider sends late, during [p_from, p_to): corrections of a pair's bar 15 minutes old (about one minute in 20),
-- and half of the missing bars, 15 minutes late
CREATE OR REPLACE FUNCTION pg_temp.late_bars(p_seed bigint, p_from bigint, p_to bigint)
    RETURNS TABLE (minute bigint, pair integer)
    LANGUAGE sql IMMUTABLE AS $function$
    SELECT arrival - 15,
           CASE WHEN pg_temp.missing_pair(p_seed, arrival - 15) > 0
                THEN pg_temp.missing_pair(p_seed, arrival - 15)
                ELSE ((hashint8extended(arrival, p_seed * 1000003 + 15) & 1073741823) % 6 + 1)::integer END
      FROM generate_series(p_from, p_to - 1) AS arrival
     WHERE pg_temp.fx_open(arrival - 15)
       AND (hashint8extended(arrival, p_seed * 1000003 + 14) & 1073741823)
           % (CASE WHEN pg_temp.missing_pair(p_seed, arrival - 15) > 0 THEN 2 ELSE 20 END) = 0
$function$;
