-- what: how many longer bars there are before a time, how many there should be, and how many are what they should be.
-- why: ways that come to other bars, or to fewer, are not compared. Sums may differ by the order of adding.
-- locks: ACCESS SHARE on derived_data_bars.
-- timeout: none: nobody else is there.
-- undo: none: it reads.
SELECT count(bar.id), count(wanted.id),
       count(*) FILTER (
           WHERE (bar.open, bar.high, bar.low, bar.close, bar.trade_count, bar.is_partial, bar.source, bar.source_timeframe,
                  bar.source_candles, bar.expected_candles, bar.quality_score, bar.derivation_version)
                 = (wanted.open, wanted.high, wanted.low, wanted.close, wanted.trade_count, wanted.is_partial, wanted.source,
                    wanted.source_timeframe, wanted.source_candles, wanted.expected_candles, wanted.quality_score,
                    wanted.derivation_version)
             AND abs(bar.vol - wanted.vol) <= 1e-9 * wanted.vol AND abs(bar.vwap - wanted.vwap) <= 1e-9)
  FROM (SELECT * FROM public.derived_data_bars WHERE ts_utc < %(to)s::timestamptz) AS bar
  FULL JOIN (SELECT * FROM public.reference WHERE ts_utc < %(to)s::timestamptz) AS wanted
    USING (canonical_symbol, timeframe, ts_utc)
