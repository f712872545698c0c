-- what: the market's time.
-- why: production runs on its own time; a demo or a rehearsal replays a market on a compressed clock.
-- locks: ACCESS SHARE on market_clock.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT public.market_now() AS market_now;
