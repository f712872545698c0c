"""What every step kind is: one class that says what it will do, does it, and undoes it.

A kind is made for one step of one plan and keeps no state between calls: everything that must
survive a killed worker is in the target's ledger. ``apply`` may therefore be called again for a
step that was begun before (``ctx.begun``), and must then finish it or do it anew, never twice.

How the ledger is kept. Before ``apply`` the runner writes the step's *intent*; after it, *applied* with
:func:`record` of its result. A kind whose effect is one transaction writes *applied* itself inside that
transaction (``ledger.mark_applied(..., details=record(result))``), so that effect and record stand or fall
together; the runner sees it and does not write it again. Undoing is the same with *undoing* and *undone*.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import psycopg

from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.outcome import StepPreview, StepResult
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import StepBase

S = TypeVar("S", bound=StepBase)


@dataclass(frozen=True)
class StepContext:
    """What a kind is given to work with.

    ``connect`` gives a session on the target (autocommit, pinned settings, named after the run and
    the worker) as a context manager; it is as fresh as one that was just opened, and goes back at the end
    of the block. ``begun`` is true when the ledger already has an intent of this step, ``applied`` when it
    says that it was done (``undo`` asks: an intent alone may have had an effect or none). ``details`` is
    what the ledger keeps of the step: for ``undo`` the details of its application, for a resumed ``apply``
    those of its intent.
    """

    job: Job
    reporter: Reporter
    step: StepBase
    phase: int
    connect: Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
    begun: bool = False
    applied: bool = False
    details: dict[str, Any] = field(default_factory=dict)


def record(result: StepResult) -> dict[str, Any]:
    """A result as the ledger and the control database keep it: its details, with ``summary`` and ``rows``."""
    return {**result.details, "summary": result.summary, "rows": result.rows, "skipped": result.skipped}


@dataclass(frozen=True)
class UndoPreview:
    """What undoing an applied step would do now. ``keeps`` says what stays on purpose, ``asks`` what a
    person has to do, ``obstacles`` what would make it fail."""

    action: str
    locks: str = "none"
    rows: int = 0
    seconds: float = 0.0
    keeps: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


class StepKind(ABC, Generic[S]):
    """One kind of step. Subclasses declare ``kind`` and are listed in ``registry.py``.

    ``changes`` says whether applying it changes the target (or the world): kinds that only look are
    not undone, and a rollback does not list them.
    """

    kind: ClassVar[str]
    changes: ClassVar[bool] = True

    def __init__(self, plan: Plan, phase: int, step: S) -> None:
        self.plan = plan
        self.phase = phase
        self.step = step

    @abstractmethod
    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What it will do: locks, rows, seconds. Without a connection, what the plan alone tells."""

    @abstractmethod
    def apply(self, ctx: StepContext) -> StepResult:
        """Do it. ``StepResult.waiting`` gives the worker back; after the wait ``apply`` is called again.

        Raises EngineError (StepFailed, Fenced, LeaseLost, StopRequested ...) or psycopg.Error; the
        kind's own transaction is rolled back then.
        """

    def undo(self, ctx: StepContext) -> StepResult:
        """Undo what ``apply`` did, also where it was killed half-way. The same rules as for ``apply``.

        A kind that changes nothing has nothing to undo, which is what this default says.
        """
        return StepResult(summary="nothing to undo", skipped=True)

    def waits_for_dumps(self, *, undo: bool) -> bool:
        """Whether applying (or undoing) must not begin while somebody's dump of the target runs."""
        return False

    def preview_undo(
        self, conn: psycopg.Connection[Any], run_uid: uuid.UUID, details: dict[str, Any]
    ) -> UndoPreview | None:
        """What ``undo`` would do now, given the ledger's ``details``; None when it would do nothing."""
        if not self.changes:
            return None
        return UndoPreview(action=f"undo: {self.step.title}", seconds=self.step.estimate_s)
