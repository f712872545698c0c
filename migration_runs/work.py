"""From rows and settings to a Job: everything that the engine is given, and nothing that it could look up.

The plan is the stored one, parsed again and checked against its digest, so that a worker executes what was
signed or nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from pathlib import Path

import pydantic
from django.conf import settings

from migration_runs.engine.job import Job
from migration_runs.exceptions import EngineError
from migration_runs.models import PhaseRun, Run
from migration_runs.runbook.plan import Plan, canonical_json
from migration_runs.services.window import WindowRule

MONITORING = 8
"""The phase whose checks come at an interval."""


def worker_name() -> str:
    """A name for one task of this process, new each time: ``host-pid-random``, 36 characters at most."""
    host = socket.gethostname().split(".")[0][:20]
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"


def target_url(alias: str) -> str:
    """URL of a target, as the runner role. Raises EngineError for an alias that this worker does not know."""
    try:
        return str(settings.TARGETS[alias])
    except KeyError:
        variable = f"TARGET_{alias.upper()}_URL"
        raise EngineError(
            f"this worker knows no target '{alias}': {variable} is not set",
            kept="nothing was changed",
            next_step=f"set {variable} for every worker, restart them, then retry",
        ) from None


def scratch_url(alias: str) -> str | None:
    """URL of the target's scratch database, or None: the step that needs one says so."""
    found = settings.SCRATCH.get(alias)
    return str(found) if found else None


def plan_of(run: Run) -> Plan:
    """The run's stored plan. Raises EngineError when what is stored is no plan, or not the one named."""
    stored = run.plan
    try:
        plan = Plan.from_json(stored.body)
    except pydantic.ValidationError as error:
        raise EngineError(
            f"the stored plan {stored.digest[:12]} cannot be read by this version: "
            f"{error.error_count()} fields do not fit",
            kept="nothing was changed",
            next_step="run the version of Phasegate that the plan was submitted with",
        ) from error
    # As stored first: a later version may know fields, with defaults, that the plan was signed without.
    as_stored = hashlib.sha256(canonical_json(stored.body).encode()).hexdigest()
    if stored.digest not in {as_stored, plan.digest}:
        raise EngineError(
            f"the stored plan {stored.digest[:12]} has digest {as_stored[:12]}: it is not what was signed",
            kept="nothing was changed",
            next_step="find out who changed the control database before anything else",
        )
    return plan


def refuse_fast_clock(plan: Plan) -> None:
    """Raises EngineError when checks would come faster than the sweeper looks: they would all be missed."""
    interval = WindowRule.of(plan).interval.total_seconds()
    if interval < settings.SWEEP_SECONDS:
        raise EngineError(
            f"checks every {interval:g} s cannot be kept: the sweeper looks every "
            f"{settings.SWEEP_SECONDS:g} s (SWEEP_SECONDS)",
            kept="everything before this phase",
            next_step=f"set SWEEP_SECONDS to {interval:g} or less for beat and workers, restart, then retry",
        )


def phase_job(phase: PhaseRun, *, token: int, worker: str) -> Job:
    """The work on one phase under a token just claimed. Raises EngineError with what is misconfigured."""
    plan = plan_of(phase.run)
    if phase.number == MONITORING:
        refuse_fast_clock(plan)
    return _job(phase.run, plan, phase=phase.number, token=token, worker=worker, attempt=phase.attempt)


def run_job(run: Run, *, worker: str) -> Job:
    """Work beside the phases (draining, verification, giving up the ledger) under the run's newest token.

    ``phase`` is the highest phase that has been started. Raises EngineError with what is misconfigured.
    """
    newest = run.phases.filter(started_at__isnull=False).order_by("-number").first()
    return _job(
        run,
        plan_of(run),
        phase=newest.number if newest else 1,
        token=run.token,
        worker=worker,
        attempt=newest.attempt if newest else 1,
    )


def _job(run: Run, plan: Plan, *, phase: int, token: int, worker: str, attempt: int) -> Job:
    return Job(
        run_uid=run.uid,
        run_name=run.name,
        plan=plan,
        phase=phase,
        token=token,
        worker=worker,
        attempt=max(1, attempt),
        target_url=target_url(run.target),
        scratch_url=scratch_url(run.target),
        backup_dir=Path(settings.BACKUP_DIR),
        pg_bin_dir=Path(settings.PG_BIN_DIR),
        switched_at=run.switched_at,
    )
