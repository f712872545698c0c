-- what:  lets the market clock run from `market_start` on, from this moment, at `speed` market seconds per real second.
-- why:   demo, rehearsal and tests replay a market that starts on a Monday morning.
-- undo:  DELETE FROM market_clock: the market runs on real time.
INSERT INTO public.market_clock (real_start, market_start, speed)
VALUES (clock_timestamp(), %(market_start)s, %(speed)s)
ON CONFLICT (only_row) DO UPDATE
   SET real_start = excluded.real_start, market_start = excluded.market_start, speed = excluded.speed
