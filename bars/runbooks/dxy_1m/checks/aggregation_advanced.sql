-- what: how many 5m bars of DXY were written since the reader was switched, and up to which window.
-- why: health check (b): the aggregator does not update itself by being declared switched; a bar that it wrote since
--   then shows that it works with the new reader.
-- locks: ACCESS SHARE on derived_data_bars.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT count(*) AS value,
       format('%%s 5m bars of DXY written since %%s%%s', count(*), %(since)s::timestamptz,
              coalesce(', the newest window ' || max(ts_utc), '')) AS detail
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '5m' AND deleted_at IS NULL
   AND ingested_at > %(since)s::timestamptz
   AND ts_utc > %(since)s::timestamptz - interval '1 hour';
