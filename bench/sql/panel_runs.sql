-- what: copies of a run, each with its nine phases and some steps, all over and sealed.
-- why: a panel that has been in use for years, without waiting for years.
-- locks: ROW EXCLUSIVE on runs, phases and steps.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
WITH made AS (
    INSERT INTO public.migration_runs_run
    SELECT copy.*
      FROM public.migration_runs_run AS r,
           generate_series(1, %(runs)s::bigint) AS n,
           LATERAL jsonb_populate_record(NULL::public.migration_runs_run, to_jsonb(r) || jsonb_build_object(
               'id', nextval(pg_get_serial_sequence('public.migration_runs_run', 'id')),
               'uid', gen_random_uuid(),
               'state', 'sealed',
               'started_at', now() - n * interval '1 day',
               'completed_at', now() - n * interval '1 day' + interval '20 hours'
           )) AS copy
     WHERE r.id = %(run)s::bigint
    RETURNING id
), phases AS (
    INSERT INTO public.migration_runs_phaserun
    SELECT copy.*
      FROM public.migration_runs_phaserun AS p,
           made,
           LATERAL jsonb_populate_record(NULL::public.migration_runs_phaserun, to_jsonb(p) || jsonb_build_object(
               'id', nextval(pg_get_serial_sequence('public.migration_runs_phaserun', 'id')),
               'run_id', made.id,
               'state', 'done',
               'started_at', now() - interval '2 hours',
               'finished_at', now() - interval '1 hour'
           )) AS copy
     WHERE p.run_id = %(run)s::bigint
    RETURNING id
)
INSERT INTO public.migration_runs_steprun
SELECT copy.*
  FROM phases,
       generate_series(1, %(steps)s::int) AS k,
       (SELECT s.* FROM public.migration_runs_steprun AS s ORDER BY s.id LIMIT 1) AS s,
       LATERAL jsonb_populate_record(NULL::public.migration_runs_steprun, to_jsonb(s) || jsonb_build_object(
           'id', nextval(pg_get_serial_sequence('public.migration_runs_steprun', 'id')),
           'phase_id', phases.id,
           'position', k,
           'key', 'step_' || k,
           'state', 'done'
       )) AS copy
