-- what:  says that every component runs the legacy code.
-- why:   feed, aggregator and signal engine read here which version of themselves to be.
-- undo:  none: a loaded database is dropped as a whole.
INSERT INTO public.bars_deployment (component, version)
VALUES ('feed', 'legacy'), ('aggregator', 'legacy'), ('signals', 'legacy')
