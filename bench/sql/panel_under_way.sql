-- what: phase 1 of some runs is at work, with a worker that holds its lease.
-- why: pages of runs that are under way show the most; nobody has to work for that.
-- locks: ROW EXCLUSIVE on runs, phases and steps.
-- timeout: none: nobody else is there.
-- undo: none: the database is dropped as a whole.
WITH runs AS (
    UPDATE public.migration_runs_run SET state = 'in_progress', started_at = now() WHERE state = 'approved'
    RETURNING id
), phases AS (
    UPDATE public.migration_runs_phaserun AS p
       SET state = 'running', started_at = now(), lease_worker = 'worker-1@bench', lease_until = now() + interval '1 day'
      FROM runs
     WHERE p.run_id = runs.id AND p.number = 1
    RETURNING p.id
)
UPDATE public.migration_runs_steprun AS s
   SET state = 'running', started_at = now(), done = 250, total = 1000, unit = 'rows'
  FROM phases
 WHERE s.phase_id = phases.id
