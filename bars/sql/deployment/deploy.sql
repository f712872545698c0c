-- what:  says which version of the code every component has to run.
-- why:   feed and aggregator read it before each tick, and restart themselves when it is not theirs.
-- undo:  the same with the other version.
INSERT INTO public.bars_deployment (component, version, deployed_at)
SELECT component, %(version)s, clock_timestamp() FROM unnest(%(components)s::text[]) AS c (component)
ON CONFLICT (component) DO UPDATE
   SET version = excluded.version, deployed_at = excluded.deployed_at
