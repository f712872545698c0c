-- what: data_bars has no CHECK, foreign key, rule or trigger but those that a synthetic bar is known to satisfy.
-- why: a mirrored bar that a constraint refuses would make the feed's own statement fail; a trigger that changes
--   values would make both sides answer each other.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT count(*) FILTER (WHERE known.name IS NULL) = 0 AS ok,
       coalesce('unknown constraints of data_bars: '
                || string_agg(format('%s %s', found.conname, pg_get_constraintdef(found.oid)), '; ')
                   FILTER (WHERE known.name IS NULL),
                format('all %s CHECKs and foreign keys of data_bars are known', count(*))) AS message
  FROM pg_catalog.pg_constraint AS found
  LEFT JOIN (VALUES ('data_bars_massive_has_ticker'), ('data_bars_timeframe_known'),
                    ('data_bars_synthetic_complete'), ('data_bars_canonical_symbol_fkey')) AS known (name)
    ON known.name = found.conname
 WHERE found.conrelid = 'public.data_bars'::regclass AND found.contype IN ('c', 'f', 'x')
UNION ALL
SELECT count(*) = 0,
       coalesce('triggers on data_bars: ' || string_agg(found.tgname, ', '), 'no triggers on data_bars')
  FROM pg_catalog.pg_trigger AS found
 WHERE found.tgrelid = 'public.data_bars'::regclass AND NOT found.tgisinternal
UNION ALL
SELECT count(*) FILTER (WHERE found.tgname <> 'derived_data_bars_set_updated_at') = 0,
       coalesce('unknown triggers on derived_data_bars: '
                || string_agg(found.tgname, ', ') FILTER (WHERE found.tgname <> 'derived_data_bars_set_updated_at'),
                'only the updated_at trigger on derived_data_bars')
  FROM pg_catalog.pg_trigger AS found
 WHERE found.tgrelid = 'public.derived_data_bars'::regclass AND NOT found.tgisinternal
UNION ALL
SELECT count(*) = 0,
       coalesce('rules on the two tables: ' || string_agg(found.rulename, ', '), 'no rules on the two tables')
  FROM pg_catalog.pg_rewrite AS found
 WHERE found.ev_class IN ('public.data_bars'::regclass, 'public.derived_data_bars'::regclass);
