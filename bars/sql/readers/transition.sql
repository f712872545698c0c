-- what:  the 1m bars that duplicate-safe readers get while both tables are filled.
-- why:   the derived row is the original until the code is switched; its copy counts only where the original is absent.
SELECT ts_utc, open, high, low, close
  FROM public.derived_data_bars
 WHERE canonical_symbol = %(symbol)s AND timeframe = '1m' AND deleted_at IS NULL
   AND ts_utc >= coalesce(%(start)s::timestamptz, '-infinity') AND ts_utc < coalesce(%(stop)s::timestamptz, 'infinity')
UNION ALL
SELECT ts_utc, open, high, low, close
  FROM public.data_bars AS copied
 WHERE canonical_symbol = %(symbol)s AND timeframe = '1m'
   AND ts_utc >= coalesce(%(start)s::timestamptz, '-infinity') AND ts_utc < coalesce(%(stop)s::timestamptz, 'infinity')
   AND NOT EXISTS (SELECT FROM public.derived_data_bars AS original
                    WHERE original.canonical_symbol = copied.canonical_symbol AND original.timeframe = '1m'
                      AND original.ts_utc = copied.ts_utc AND original.deleted_at IS NULL)
 ORDER BY ts_utc
