"""What pages show of a whole run: the line in a list, and everything on the run page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migration_runs.selectors.gate_views import SignOffView
from migration_runs.selectors.phase_views import PhaseView
from migration_runs.selectors.readiness_views import ReadinessView
from migration_runs.selectors.rollback_progress import RollbackProgress
from migration_runs.selectors.rollback_readiness import RollbackReadiness
from migration_runs.selectors.trail_views import EventView, LogLineView
from migration_runs.selectors.verification_views import VerificationView
from migration_runs.selectors.window_views import WindowView
from migration_runs.services.adjusting import Setting
from migration_runs.services.offer import Action
from migration_runs.states import ONLY_BACK

CHOICES = ("retry", "resume", "retry_rollback", "roll_back")
"""Verbs that bring a run on, or back, that stands still."""


@dataclass(frozen=True)
class NextStep:
    """The one thing to do now: for whom, what, and which actions are beside it.

    ``tone`` is run, ok, warn or bad. ``market`` says that the target's market is closed, while it is.
    """

    tone: str
    kicker: str
    headline: str
    text: str
    actions: tuple[Action, ...] = ()
    market: str = ""


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
    settings: tuple[Setting, ...] = ()
    rollback: RollbackReadiness | None = None
    rollback_progress: RollbackProgress | None = None

    @property
    def choices(self) -> tuple[Action, ...]:
        """What can be chosen where the run stands still, in the order of how much it changes."""
        found = (self.action(verb) for verb in CHOICES)
        return tuple(action for action in found if action is not None)

    @property
    def adjust(self) -> Action | None:
        """Adjusting the copy, while it is at work or to come."""
        return self.action("adjust")

    @property
    def verify(self) -> Action | None:
        """Asking for a comparison of source and target, where there can be one."""
        return self.action("verify")

    @property
    def only_back(self) -> bool:
        """Whether no phase of it is started any more: it goes back, or has ended before its end."""
        return self.state in ONLY_BACK

    @property
    def steps_applied(self) -> int:
        """Steps that are done and have something to undo."""
        steps = (step for phase in self.phases for step in phase.steps)
        return sum(step.state == "done" and step.has_undo for step in steps)

    def action(self, verb: str) -> Action | None:
        """The action with this verb, if it makes sense in this state at all."""
        return next((action for action in self.actions if action.verb == verb), None)
