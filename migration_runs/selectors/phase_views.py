"""What pages show of a phase and its steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from migration_runs.engine.outcome import CopyFigures
from migration_runs.phases import Role
from migration_runs.selectors.paces import PaceView
from migration_runs.selectors.workers import lost_in_words


@dataclass(frozen=True)
class SqlView:
    """A SQL file of a step, as signed; ``what_for``: ``apply``, ``undo``, ``repair`` or ``repair check``."""

    what_for: str
    path: str
    text: str


NO_UNDO = "none needed"
"""How the words about a step's undo begin where nothing would be undone."""


@dataclass(frozen=True)
class StepView:
    """A step: what it will do (from the plan) and where it stands (from the worker).

    ``stalled``: no worker is at it now, so that its figures are old and no rate follows from them.
    """

    key: str
    place: str
    title: str
    kind: str
    state: str
    what: str
    why: str
    locks: str
    timeout: str
    undo: str
    estimate: timedelta
    sql: tuple[SqlView, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    done: int | None = None
    total: int | None = None
    unit: str = ""
    note: str = ""
    note_since: datetime | None = None
    stalled: bool = False
    summary: str = ""
    error: str = ""
    confirm_text: str = ""
    confirm_hint: str = ""
    confirm_role: Role | None = None
    confirmed_by: str = ""
    evidence: str = ""
    may_confirm: bool = False
    pace: PaceView | None = None
    figures: CopyFigures | None = None

    @property
    def has_undo(self) -> bool:
        """Whether a rollback would undo anything of it."""
        return not self.undo.startswith(NO_UNDO)

    @property
    def slow_because(self) -> str:
        """Why it is slow, with since when and for how long; empty at full speed."""
        if not self.note or self.note_since is None:
            return self.note
        seconds = max((timezone.now() - self.note_since).total_seconds(), 0)
        return f"waiting since {self.note_since:%H:%M:%S} ({seconds:.0f} s): {self.note}"

    @property
    def shown_state(self) -> str:
        """The state; one that nobody is at now does not read as if somebody were."""
        return "waiting" if self.stalled and self.state in {"running", "undoing"} else self.state

    @property
    def rate(self) -> float | None:
        """Units per second now, while it runs and something is done: of the last points, else on average."""
        if self.average is None:
            return None
        return self.average if self.pace is None else self.pace.latest

    @property
    def average(self) -> float | None:
        """Units per second since the step started, while it runs and something is done."""
        if self.state != "running" or self.stalled or not self.done or self.started_at is None:
            return None
        return self.done / max((timezone.now() - self.started_at).total_seconds(), 0.001)

    @property
    def eta(self) -> datetime | None:
        """When it will be over at this rate."""
        if not self.rate or self.total is None or self.done is None or self.done >= self.total:
            return None
        return timezone.now() + timedelta(seconds=(self.total - self.done) / self.rate)

    @property
    def seconds(self) -> float | None:
        """How long it took, once it is over."""
        if self.started_at and self.finished_at:
            return (self.finished_at - self.started_at).total_seconds()
        return None


@dataclass(frozen=True)
class PhaseView:
    """One of the nine phases of a run: planned against actual, and where it stands.

    ``worker_lost_s``: since when its worker's lease is over, while nobody has taken over. ``fleet`` says so
    when no worker at all has been heard of, where the phase needs one.
    """

    number: int
    key: str
    title: str
    purpose: str
    state: str
    locked: bool
    owner_role: Role
    owner: str
    planned_start: datetime | None
    slot_end: datetime | None
    planned: timedelta
    started_at: datetime | None
    finished_at: datetime | None
    started_by: str
    signed_by: tuple[str, ...]
    error: str
    kept: str
    next_step: str
    waiting: str
    worker: str
    worker_lost_s: float | None
    fleet: str
    attempt: int
    success: tuple[str, ...]
    steps: tuple[StepView, ...]

    @property
    def actual(self) -> timedelta | None:
        """From start to sign-off, once both are known."""
        return self.finished_at - self.started_at if self.started_at and self.finished_at else None

    @property
    def so_far(self) -> timedelta | None:
        """Since its start, while it is not signed: a failed or paused phase goes on counting."""
        if self.started_at is None or self.finished_at is not None:
            return None
        return max(timezone.now() - self.started_at, timedelta())

    @property
    def at_work(self) -> StepView | None:
        """The step that is being done, undone or waited for."""
        return next((s for s in self.steps if s.state in {"running", "waiting", "undoing"}), None)

    @property
    def failed_step(self) -> StepView | None:
        """The step that failed, or that could not be undone."""
        return next((s for s in self.steps if s.state in {"failed", "undo_failed"}), None)

    @property
    def told_at(self) -> datetime | None:
        """When a worker last told how far the step at work is."""
        step = self.at_work
        return step.pace.end if step is not None and step.pace is not None else None

    @property
    def worker_lost(self) -> str:
        """``Worker lost 14 s ago, resuming``; empty while nobody is lost."""
        return lost_in_words(self.worker_lost_s)

    @property
    def steps_done(self) -> int:
        """Steps that are done or had nothing to do."""
        return sum(step.state in {"done", "skipped"} for step in self.steps)
