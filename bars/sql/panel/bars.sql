-- what:  the bars of a symbol and timeframe in [start, stop) as each of the two tables has them, one line per start.
-- why:   one statement, so one snapshot: a bar that is being written to both is in both or in none.
SELECT ts_utc, direct.at IS NOT NULL, derived.at IS NOT NULL,
       direct.open, direct.high, direct.low, direct.close, direct.vol, direct.vwap, direct.trade_count,
       derived.open, derived.high, derived.low, derived.close, derived.vol, derived.vwap, derived.trade_count
  FROM (SELECT ts_utc, ts_utc AS at, open, high, low, close, vol, vwap, trade_count
          FROM public.data_bars
         WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s
           AND ts_utc >= %(start)s AND ts_utc < %(stop)s) AS direct
  FULL JOIN (SELECT ts_utc, ts_utc AS at, open, high, low, close, vol, vwap, trade_count
               FROM public.derived_data_bars
              WHERE canonical_symbol = %(symbol)s AND timeframe = %(timeframe)s AND deleted_at IS NULL
                AND ts_utc >= %(start)s AND ts_utc < %(stop)s) AS derived
 USING (ts_utc)
 ORDER BY ts_utc DESC
 LIMIT %(limit)s
