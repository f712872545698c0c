"""How ready a rollback is, from what the panel knows by itself: shown on every page of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import ConfirmStep, DualWriteStep
from migration_runs.selectors.phase_views import PhaseView, StepView
from migration_runs.selectors.verification_views import VerificationView
from migration_runs.services import rollback

SWITCH = 5
"""The phase from which on the new table is written: reverse dual-write keeps the old one whole."""

DEPLOY = 7
APPLIED = frozenset({"done", "undo_failed", "failed", "running", "waiting"})


@dataclass(frozen=True)
class Point:
    """One condition of a rollback: whether it holds (``given``), is to come, or does not (``warn``)."""

    state: str
    text: str


@dataclass(frozen=True)
class RollbackReadiness:
    """The meter: its points, and what a rollback would need of people."""

    points: tuple[Point, ...]
    needs: tuple[str, ...]

    @property
    def ready(self) -> int:
        """Points that hold."""
        return sum(point.state == "given" for point in self.points)

    @property
    def whole(self) -> bool:
        """Whether all of them do."""
        return self.ready == len(self.points)

    @property
    def words(self) -> str:
        """``Ready, 6 of 6``."""
        return f"{'Ready' if self.whole else 'Look first'}, {self.ready} of {len(self.points)}"


def readiness_of(
    state: str, plan: Plan, phases: Sequence[PhaseView], verification: VerificationView
) -> RollbackReadiness | None:
    """The readiness of a run that can be rolled back; None for one that cannot be."""
    if state not in rollback.FROM:
        return None
    points = (
        *_backup(phases), *_undo(plan, phases), *_old_table(plan, phases), *_equal(verification),
        *_workers(phases),
    )  # fmt: skip
    return RollbackReadiness(points=points, needs=tuple(_needs(plan, phases)))


def _steps(phases: Sequence[PhaseView], kind: str) -> list[StepView]:
    return [step for phase in phases for step in phase.steps if step.kind == kind]


def _backup(phases: Sequence[PhaseView]) -> Iterator[Point]:
    backups = _steps(phases, "backup")
    if backups and all(step.state == "done" for step in backups):
        yield Point("given", "Backup written, restored once to prove it")
    elif any(_changed(phase) for phase in phases):
        yield Point("warn", "No proven backup")


def _changed(phase: PhaseView) -> bool:
    return any(step.state in APPLIED and step.has_undo for step in phase.steps)


def _undo(plan: Plan, phases: Sequence[PhaseView]) -> Iterator[Point]:
    applied = [
        (step, declared)
        for phase in phases
        for step, declared in zip(phase.steps, plan.runbook.phase(phase.number).steps, strict=True)
        if step.state in APPLIED and step.has_undo
    ]
    if not applied:
        yield Point("given", "Nothing was applied yet: there is nothing to undo")
        return
    yield Point("given", f"{_count(len(applied), 'applied step')}, each with its undo")
    images = sum(bool(getattr(declared, "before_image", None)) for _, declared in applied)
    if images:
        yield Point("given", f"{_count(images, 'before-image')} kept in the ledger")


def _old_table(plan: Plan, phases: Sequence[PhaseView]) -> Iterator[Point]:
    on = {
        declared.direction: step.state == "done"
        for phase in phases
        for step, declared in zip(phase.steps, plan.runbook.phase(phase.number).steps, strict=True)
        if isinstance(declared, DualWriteStep)
    }
    switched = any(phase.number >= SWITCH and phase.started_at for phase in phases)
    if not switched:
        yield Point("given", "The old table is whole: nobody writes another one yet")
    elif phases[-1].state == "done":
        yield Point("given", "Rows written since completion are copied back first")
    elif on.get("reverse"):
        yield Point("given", "The old table is kept whole by reverse dual-write")
    else:
        yield Point("to_come", "Reverse dual-write is not on yet")


def _equal(verification: VerificationView) -> Iterator[Point]:
    if verification.state == "verify_clean":
        yield Point("given", "Both tables equal when last compared")
    elif verification.state == "verify_differs":
        yield Point("warn", "Both tables differ: look at the verification first")


def _workers(phases: Sequence[PhaseView]) -> Iterator[Point]:
    silent = next((phase.fleet for phase in phases if phase.fleet), "")
    yield Point("warn", silent) if silent else Point("given", "Workers are there to carry it out")


def _needs(plan: Plan, phases: Sequence[PhaseView]) -> Iterator[str]:
    for phase in phases:
        for step, declared in zip(phase.steps, plan.runbook.phase(phase.number).steps, strict=True):
            if isinstance(declared, ConfirmStep) and declared.undo_text and step.state == "done":
                yield f"{declared.undo_text} ({declared.role})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
