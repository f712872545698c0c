-- what: both tables have exactly the columns that the move maps, with their types.
-- why: a column that nobody mapped would be lost on the way; a missing one would stop the copy.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
WITH wanted (relation, name, type) AS (
    VALUES ('data_bars', 'id', 'bigint'), ('data_bars', 'canonical_symbol', 'text'),
           ('data_bars', 'provider_ticker', 'text'), ('data_bars', 'timeframe', 'text'),
           ('data_bars', 'ts_utc', 'timestamp with time zone'), ('data_bars', 'open', 'double precision'),
           ('data_bars', 'high', 'double precision'), ('data_bars', 'low', 'double precision'),
           ('data_bars', 'close', 'double precision'), ('data_bars', 'vol', 'double precision'),
           ('data_bars', 'vwap', 'double precision'), ('data_bars', 'trade_count', 'integer'),
           ('data_bars', 'is_partial', 'boolean'), ('data_bars', 'source', 'text'),
           ('data_bars', 'ingested_at', 'timestamp with time zone'), ('data_bars', 'raw', 'jsonb'),
           ('derived_data_bars', 'id', 'bigint'), ('derived_data_bars', 'canonical_symbol', 'text'),
           ('derived_data_bars', 'timeframe', 'text'), ('derived_data_bars', 'ts_utc', 'timestamp with time zone'),
           ('derived_data_bars', 'open', 'double precision'), ('derived_data_bars', 'high', 'double precision'),
           ('derived_data_bars', 'low', 'double precision'), ('derived_data_bars', 'close', 'double precision'),
           ('derived_data_bars', 'vol', 'double precision'), ('derived_data_bars', 'vwap', 'double precision'),
           ('derived_data_bars', 'trade_count', 'integer'), ('derived_data_bars', 'is_partial', 'boolean'),
           ('derived_data_bars', 'source', 'text'),
           ('derived_data_bars', 'ingested_at', 'timestamp with time zone'),
           ('derived_data_bars', 'source_timeframe', 'text'), ('derived_data_bars', 'source_candles', 'integer'),
           ('derived_data_bars', 'expected_candles', 'integer'), ('derived_data_bars', 'quality_score', 'smallint'),
           ('derived_data_bars', 'derivation_version', 'integer'), ('derived_data_bars', 'raw', 'jsonb'),
           ('derived_data_bars', 'deleted_at', 'timestamp with time zone'),
           ('derived_data_bars', 'created_at', 'timestamp with time zone'),
           ('derived_data_bars', 'updated_at', 'timestamp with time zone')
), found AS (
    SELECT relation.relname::text AS relation, attribute.attname::text AS name,
           format_type(attribute.atttypid, attribute.atttypmod) AS type
      FROM pg_catalog.pg_attribute AS attribute
      JOIN pg_catalog.pg_class AS relation ON relation.oid = attribute.attrelid
     WHERE relation.oid IN ('public.data_bars'::regclass, 'public.derived_data_bars'::regclass)
       AND attribute.attnum > 0 AND NOT attribute.attisdropped
)
SELECT count(*) FILTER (WHERE wanted.type IS DISTINCT FROM found.type) = 0 AS ok,
       coalesce(string_agg(format('%s.%s: expected %s, found %s', relation, name, coalesce(wanted.type, 'no column'),
                                  coalesce(found.type, 'no column')), '; ' ORDER BY relation, name)
                FILTER (WHERE wanted.type IS DISTINCT FROM found.type),
                format('all %s columns are as mapped', count(*))) AS message
  FROM wanted FULL JOIN found USING (relation, name);
