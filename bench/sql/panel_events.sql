-- what: events of the audit trail, spread over all runs; one in fifty tells of a hold.
-- why: a trail as long as that of years; what their hashes are is of no matter here.
-- locks: ROW EXCLUSIVE on the audit trail.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
INSERT INTO public.migration_runs_auditevent
    (seq, at, run_id, actor, actor_how, action, object, detail, prev_hash, hash)
SELECT past.seq + n, now() - interval '1 hour' + n * interval '1 millisecond', runs.ids[1 + n %% cardinality(runs.ids)],
       'worker-1@bench', 'worker', CASE WHEN n %% 50 = 0 THEN 'run.hold' ELSE 'phase.finish' END, 'a phase',
       '{"reason": "measured"}'::jsonb, md5(n::text), md5((n + 1)::text)
  FROM generate_series(1, %(events)s::bigint) AS n,
       (SELECT max(seq) AS seq FROM public.migration_runs_auditevent) AS past,
       (SELECT array_agg(id ORDER BY id) AS ids FROM public.migration_runs_run) AS runs
