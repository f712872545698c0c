-- what:  makes the bars of every whole window of [start, stop) of a symbol and timeframe, in one statement.
-- why:   loader and aggregator go through the same function, whatever version of it is in place.
-- undo:  none needed: running it again gives the same bars.
SELECT public.catchup_aggregation_range(%(symbol)s, %(timeframe)s, %(start)s, %(stop)s)
