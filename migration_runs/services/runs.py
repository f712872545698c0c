"""All verbs on runs and phases in one place, for whoever offers them to people."""

from migration_runs.services.adjusting import adjust
from migration_runs.services.driving import hold_run, pause_phase, resume_run, retry_phase
from migration_runs.services.plans import create_run, revise_run
from migration_runs.services.rollback import retry_rollback, roll_back_run
from migration_runs.services.sealing import seal_run
from migration_runs.services.starting import start_phase
from migration_runs.services.submission import cancel_run, send_back_run, submit_run, withdraw_run

__all__ = [
    "adjust",
    "cancel_run",
    "create_run",
    "hold_run",
    "pause_phase",
    "resume_run",
    "retry_phase",
    "retry_rollback",
    "revise_run",
    "roll_back_run",
    "seal_run",
    "send_back_run",
    "start_phase",
    "submit_run",
    "withdraw_run",
]
