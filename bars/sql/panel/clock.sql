-- what:  the market's time, and how many of its seconds pass in a real one.
-- why:   freshness is judged on the market's clock; on a compressed one a late bar is not a late feed.
SELECT public.market_now(), coalesce((SELECT speed FROM public.market_clock), 1)
