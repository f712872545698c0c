"""Waking a phase that waits for a person, a window or statistics."""

from __future__ import annotations

from migration_runs import dispatch
from migration_runs.models import PhaseRun
from migration_runs.services import clock
from migration_runs.states import PhaseState


def wake(phase: PhaseRun) -> None:
    """Let a worker look at a phase that waits, now."""
    phase.look_again_at = clock.database_now()
    phase.save(update_fields=["look_again_at"])
    task = "undo_phase" if phase.state == PhaseState.UNDOING else "run_phase"
    if phase.state in {PhaseState.RUNNING, PhaseState.UNDOING}:
        dispatch.after_commit(task, phase.pk)
