"""Closing a phase: the next one becomes ready, and after the last the run is complete."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from migration_runs import phases
from migration_runs.models import PhaseRun
from migration_runs.services import notify
from migration_runs.services.moves import move_phase, move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation


def close_phase(at: Situation, phase: PhaseRun, *, actor: Actor) -> None:
    """The last signature of a phase was given: it is done."""
    phase.finished_at = timezone.now()
    move_phase(phase, "sign", run=at.run, actor=actor)
    if phase.number < len(phases.PHASES):
        following = at.phase(phase.number + 1)
        move_phase(following, "make_ready", run=at.run, actor=actor)
        notify.phase_done(at, phase, following=following, actor=actor)
        return
    run = at.run
    run.completed_at = run.finished_at = timezone.now()
    # A compressed run keeps its retention on the compressed clock, as it keeps its window.
    run.seal_after = run.completed_at + timedelta(days=at.plan.runbook.retention_days / at.plan.clock_speed)
    move_run(run, "complete", actor=actor, seal_after=run.seal_after)
    notify.completed(at, actor=actor)
