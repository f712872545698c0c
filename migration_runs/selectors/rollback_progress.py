"""How far a rollback is: the steps that it undoes, last first, and which one it is at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from migration_runs.selectors.phase_views import PhaseView, StepView
from migration_runs.states import RunState

UNDOING = frozenset({RunState.ROLLING_BACK, RunState.ROLLED_BACK})
UNDONE = "undone"
TO_UNDO = frozenset({"done", "failed", "undoing", "undo_failed", UNDONE})
"""States of a step that was applied, at least in part. One that waits in a phase that is undone counts."""


@dataclass(frozen=True)
class RollbackProgress:
    """The steps of a rollback in the order in which they are undone."""

    steps: tuple[StepView, ...]

    @property
    def total(self) -> int:
        """Steps in all."""
        return len(self.steps)

    @property
    def undone(self) -> int:
        """Steps that are undone."""
        return sum(step.state == UNDONE for step in self.steps)

    @property
    def at(self) -> StepView | None:
        """The first that is not undone: it is being undone, waits, or comes next."""
        return next((step for step in self.steps if step.state != UNDONE), None)


def progress_of(state: str, phases: Sequence[PhaseView]) -> RollbackProgress | None:
    """The progress of a run that is being or was rolled back; None for any other."""
    if state not in UNDOING:
        return None
    steps = (
        step
        for phase in reversed(phases)
        for step in reversed(phase.steps)
        if step.has_undo and (step.state in TO_UNDO or _at_work(phase, step))
    )
    return RollbackProgress(steps=tuple(steps))


def _at_work(phase: PhaseView, step: StepView) -> bool:
    return phase.state in {"undoing", "undo_failed"} and step.state in {"waiting", "undoing", "undo_failed"}
