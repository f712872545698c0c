"""Moving the two state machines, each move with its one audit event."""

from __future__ import annotations

from typing import Any

from migration_runs.models import PhaseRun, Run
from migration_runs.services import audit
from migration_runs.services.people import Actor


def move_run(run: Run, verb: str, *, actor: Actor, **detail: Any) -> None:
    """Move a run that the caller holds locked, save it whole, and tell. Raises TransitionNotAllowed."""
    before = run.state
    getattr(run, verb)()
    run.save()
    told = {"from": before, "to": run.state, **detail}
    audit.append(actor=actor, run=run, action=f"run.{verb}", object=run.name, detail=told)


def move_phase(phase: PhaseRun, verb: str, *, run: Run, actor: Actor, **detail: Any) -> None:
    """Move a phase that the caller holds locked, save it whole, and tell. Raises TransitionNotAllowed."""
    before = phase.state
    getattr(phase, verb)()
    phase.save()
    told = {"phase": phase.number, "from": before, "to": phase.state, **detail}
    name = f"phase {phase.number} of {run.name}"
    audit.append(actor=actor, run=run, action=f"phase.{verb}", object=name, detail=told)
