"""What pages and the command line show of a run: frozen, plain, already decided.

A template never asks the database, and never decides whether somebody may do something: that has
been answered here, from the same rules that the services enforce.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from migration_runs.engine.outcome import DualWriteStatus
from migration_runs.phases import Role
from migration_runs.selectors.verification_views import VerificationView
from migration_runs.selectors.workers import lost_in_words
from migration_runs.services.adjusting import Setting
from migration_runs.services.offer import Action


@dataclass(frozen=True)
class SqlView:
    """A SQL file of a step, as signed; ``what_for``: ``apply``, ``undo``, ``repair`` or ``repair check``."""

    what_for: str
    path: str
    text: str


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

    @property
    def slow_because(self) -> str:
        """Why it is slow, with since when and for how long; empty at full speed."""
        if not self.note or self.note_since is None:
            return self.note
        seconds = max((timezone.now() - self.note_since).total_seconds(), 0)
        return f"waiting since {self.note_since:%H:%M:%S} ({seconds:.0f} s): {self.note}"

    @property
    def rate(self) -> float | None:
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
    def worker_lost(self) -> str:
        """``Worker lost 14 s ago, resuming``; empty while nobody is lost."""
        return lost_in_words(self.worker_lost_s)

    @property
    def steps_done(self) -> int:
        """Steps that are done or had nothing to do."""
        return sum(step.state in {"done", "skipped"} for step in self.steps)


@dataclass(frozen=True)
class SignOffView:
    """One required signature: given, void, refused, next, to come or locked.

    ``action`` is the signing that is offered to the person who looks, once the gate is open.
    """

    gate: str
    gate_label: str
    role: Role
    person: str
    state: str
    at: datetime | None = None
    comment: str = ""
    why_void: str = ""
    action: Action | None = None


@dataclass(frozen=True)
class CheckView:
    """A health check's result, due or done."""

    key: str
    title: str
    round: int
    due_at: datetime
    late_after: datetime
    state: str
    verdict: str
    value: float | None
    detail: str
    bound: str
    market_open: bool | None
    finished_at: datetime | None
    what_to_do: str = ""


@dataclass(frozen=True)
class RoundView:
    """All checks of one hour of the window, and their worst verdict."""

    number: int
    due_at: datetime
    verdict: str
    checks: tuple[CheckView, ...]


@dataclass(frozen=True)
class WindowView:
    """A monitoring window: how much of it is whole, and what came of its checks."""

    number: int
    started_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    end_reason: str
    whole: bool
    rounds: tuple[RoundView, ...]
    counts: dict[str, int]
    open_checks: int
    open_needed: int
    next_due: datetime | None

    @property
    def done_rounds(self) -> int:
        """Rounds whose checks all have a result."""
        return sum(round_view.verdict not in {"due", "running", "never"} for round_view in self.rounds)

    @property
    def broken(self) -> bool:
        """Whether a check failed or was missed, or the window ended before it was whole."""
        bad = self.counts["fail"] + self.counts["missed"]
        return bool(bad) or (self.ended_at is not None and not self.whole)


@dataclass(frozen=True)
class ReadinessView:
    """A line of the readiness checklist."""

    key: str
    group: str
    text: str
    role: Role
    automatic: bool
    ticked: bool
    by: str
    at: datetime | None
    may_tick: bool


@dataclass(frozen=True)
class EventView:
    """An audit event as a sentence, with its raw detail."""

    seq: int
    at: datetime
    actor: str
    actor_how: str
    action: str
    sentence: str
    detail: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class LogLineView:
    """A line of the run's log."""

    id: int
    at: datetime
    level: str
    phase: int | None
    place: str
    text: str


@dataclass(frozen=True)
class NextStep:
    """The one thing to do now: for whom, what, and which actions are beside it.

    ``tone`` is run, ok, warn or bad.
    """

    tone: str
    kicker: str
    headline: str
    text: str
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True)
class RunRow:
    """A run in a list. ``trouble`` says that the worker of its phase is lost, or that there is none at all;
    its figures are then as last told.
    """

    id: int
    name: str
    title: str
    target: str
    digest: str
    state: str
    phase_number: int | None
    phase_title: str
    phase_state: str
    done: int | None
    total: int | None
    unit: str
    trouble: str
    phases_done: int
    author: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    hold_reason: str


@dataclass(frozen=True)
class RunView:
    """Everything on the run page. ``rows_copied`` is what copy steps have reported so far."""

    id: int
    name: str
    title: str
    summary: str
    target: str
    digest: str
    data_decision: str
    clock_speed: float
    window_hours: float
    min_open_checks: int
    source_table: str
    target_table: str
    state: str
    author: str
    created_at: datetime
    started_at: datetime | None
    started_by: str
    finished_at: datetime | None
    hold_reason: str
    held_by: str
    seal_after: datetime | None
    next: NextStep
    actions: tuple[Action, ...]
    phases: tuple[PhaseView, ...]
    current: PhaseView
    sign_offs: tuple[SignOffView, ...]
    window: WindowView | None
    past_windows: tuple[WindowView, ...]
    readiness: tuple[ReadinessView, ...]
    rows_copied: int
    verification: VerificationView
    events: tuple[EventView, ...]
    log: tuple[LogLineView, ...]
    assignments: dict[str, str]
    dual_write: DualWriteStatus | None = None
    settings: tuple[Setting, ...] = ()

    @property
    def adjust(self) -> Action | None:
        """Adjusting the copy, while it is at work or to come."""
        return self.action("adjust")

    @property
    def verify(self) -> Action | None:
        """Asking for a comparison of source and target, where there can be one."""
        return self.action("verify")

    @property
    def steps_applied(self) -> int:
        """Steps that are done and have something to undo."""
        steps = (step for phase in self.phases for step in phase.steps)
        return sum(step.state == "done" and not step.undo.startswith("none needed") for step in steps)

    def action(self, verb: str) -> Action | None:
        """The action with this verb, if it makes sense in this state at all."""
        return next((action for action in self.actions if action.verb == verb), None)
