-- What: the rights of the app role {app} on this app's tables. Run after every migration, as their owner.
-- Why: the panel must not be able to change or remove what it has recorded; it owns nothing, so that it cannot
--      disable a trigger either.
-- Locks: catalog rows only.
-- Timeout: none needed.
-- Undo: REVOKE the same.
REVOKE ALL ON
    django_migrations, migration_runs_adjustment, migration_runs_assignment, migration_runs_auditevent,
    migration_runs_confirmation, migration_runs_duecheck, migration_runs_fleetpulse,
    migration_runs_handovercard, migration_runs_handovernote, migration_runs_lesson, migration_runs_logline,
    migration_runs_looktrouble, migration_runs_monitoringwindow, migration_runs_notification,
    migration_runs_phaserun, migration_runs_readinesstick, migration_runs_run, migration_runs_signoff, migration_runs_steprun,
    migration_runs_storedplan, migration_runs_trailreading, migration_runs_verificationbucket,
    migration_runs_verificationpass, migration_runs_verificationreport
    FROM {app}, PUBLIC;

-- What is written once.
GRANT SELECT, INSERT ON
    migration_runs_adjustment, migration_runs_auditevent, migration_runs_confirmation,
    migration_runs_handovercard, migration_runs_handovernote, migration_runs_lesson, migration_runs_logline,
    migration_runs_readinesstick, migration_runs_signoff, migration_runs_storedplan,
    migration_runs_verificationreport
    TO {app};
GRANT UPDATE (void_at, void_reason) ON migration_runs_signoff TO {app};
GRANT UPDATE (void_at, void_by_id, void_reason) ON migration_runs_readinesstick TO {app};
GRANT UPDATE (taken_at, withdrawn_at, withdrawn_by_id, withdraw_reason) ON migration_runs_handovercard TO {app};

-- What moves on, and is never deleted.
GRANT SELECT, INSERT, UPDATE ON
    migration_runs_duecheck, migration_runs_fleetpulse, migration_runs_looktrouble,
    migration_runs_monitoringwindow, migration_runs_notification, migration_runs_phaserun,
    migration_runs_run, migration_runs_trailreading,
    migration_runs_verificationbucket, migration_runs_verificationpass
    TO {app};

-- What a draft may still rewrite.
GRANT SELECT, INSERT, UPDATE, DELETE ON migration_runs_assignment, migration_runs_steprun TO {app};

-- To see whether migrations are missing.
GRANT SELECT ON django_migrations TO {app};
