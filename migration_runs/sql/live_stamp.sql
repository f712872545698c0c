-- What: one text that changes whenever a page of the run would show something else than before.
-- Why: an open page asks every two seconds, and mostly nothing has happened: then nothing has to be read or drawn.
--      A row that is written anew gets another place and transaction, so ctid and xmin stand for all its columns.
--      The log and the trail are only added to: their last numbers stand for them.
-- Locks: ACCESS SHARE on the tables named.
-- Timeout: the session's.
-- Undo: none: it reads.
SELECT md5(concat_ws('/',
    (SELECT concat(ctid, xmin) FROM migration_runs_run WHERE id = %(run)s),
    (SELECT string_agg(concat(ctid, xmin), ',' ORDER BY id) FROM migration_runs_phaserun WHERE run_id = %(run)s),
    (SELECT string_agg(concat(s.ctid, s.xmin), ',' ORDER BY s.id)
       FROM migration_runs_steprun s JOIN migration_runs_phaserun p ON p.id = s.phase_id WHERE p.run_id = %(run)s),
    (SELECT max(id) FROM migration_runs_logline WHERE run_id = %(run)s),
    (SELECT max(seq) FROM migration_runs_auditevent WHERE run_id = %(run)s),
    (SELECT string_agg(concat(d.ctid, d.xmin), ',' ORDER BY d.id)
       FROM migration_runs_duecheck d JOIN migration_runs_monitoringwindow w ON w.id = d.window_id
      WHERE w.run_id = %(run)s),
    (SELECT string_agg(concat(ctid, xmin), ',' ORDER BY id)
       FROM migration_runs_monitoringwindow WHERE run_id = %(run)s),
    (SELECT string_agg(concat(ctid, xmin), ',' ORDER BY id) FROM migration_runs_signoff WHERE run_id = %(run)s),
    (SELECT string_agg(concat(ctid, xmin), ',' ORDER BY id)
       FROM migration_runs_verificationpass WHERE run_id = %(run)s),
    (SELECT max(id) FROM migration_runs_verificationreport WHERE run_id = %(run)s),
    (SELECT concat(ctid, xmin) FROM migration_runs_looktrouble WHERE run_id = %(run)s)
)) AS stamp,
       EXISTS (SELECT FROM migration_runs_phaserun
                WHERE run_id = %(run)s AND state IN ('running', 'pausing', 'undoing'))
    OR EXISTS (SELECT FROM migration_runs_verificationpass WHERE run_id = %(run)s AND finished_at IS NULL) AS busy
