"""The one thing to do next on a run, said before everything else on its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migration_runs.models import Run
from migration_runs.selectors import watching
from migration_runs.selectors.gate_views import SignOffView
from migration_runs.selectors.phase_views import PhaseView, StepView
from migration_runs.selectors.run_views import NextStep
from migration_runs.selectors.window_views import WindowView
from migration_runs.services.offer import Action

STOPPING_VERBS = ("send_back", "pause", "pause_now")
MAIN_VERBS = ("submit", "sign", "start", "resume", "retry", "retry_rollback", *STOPPING_VERBS)
MONITORING = 8


@dataclass(frozen=True)
class At:
    """Where a run stands, as far as the next step depends on it."""

    run: Run
    phase: PhaseView
    matrix: Sequence[SignOffView]
    window: WindowView | None
    beside: tuple[Action, ...]

    @property
    def yours(self) -> bool:
        """Whether the person who looks may do something that moves the run on."""
        return any(action.allowed for action in self.beside if action.verb not in STOPPING_VERBS)


Says = Callable[[At], NextStep]


def next_step(
    run: Run,
    phase: PhaseView,
    allowed: Sequence[Action],
    matrix: Sequence[SignOffView],
    window: WindowView | None,
) -> NextStep:
    """What to do now and by whom; "nothing to press" is an answer.

    Looks at the run's state first, then at its phase's.
    """
    at = At(run, phase, matrix, window, _beside(allowed))
    return BY_RUN[run.state](at) if run.state in BY_RUN else BY_PHASE[phase.state](at)


def _beside(offered: Sequence[Action]) -> tuple[Action, ...]:
    """Every allowed action that moves the run on or stops it; of other verbs one, locked, with its reason."""
    beside: list[Action] = []
    for verb in MAIN_VERBS:
        of_verb = [action for action in offered if action.verb == verb]
        beside += [action for action in of_verb if action.allowed] or of_verb[:1]
    return tuple(beside)


def _missing(at: At, gate: str) -> str:
    names = [
        f"{row.person or 'somebody'} ({row.role})"
        for row in at.matrix
        if row.gate == gate and row.state != "given"
    ]
    return " and ".join(names)


def _whose(at: At) -> str:
    return "Next for you" if at.yours else "Next"


def _draft(at: At) -> NextStep:
    return NextStep(
        "run",
        _whose(at),
        "Submit the plan for approval.",
        f"Nothing has been executed. Approvals that it will need: {_missing(at, 'plan')}.",
        at.beside,
    )


def _awaiting(at: At) -> NextStep:
    return NextStep(
        "run",
        _whose(at),
        f"Approve the plan: {_missing(at, 'plan')}.",
        "The author never approves. Read the plan first; a signature binds its digest.",
        at.beside,
    )


def _approved(at: At) -> NextStep:
    return NextStep(
        "run", _whose(at), "Start phase 1: preflight.", "Nothing has been changed yet.", at.beside
    )


def _held(at: At) -> NextStep:
    who = f" by {at.run.held_by.username}" if at.run.held_by else ""
    if at.run.hold_kind == Run.HoldKind.CHECK and at.window is not None:
        return watching.held(at.window, by=who, reason=at.run.hold_reason, actions=at.beside)
    return NextStep(
        "warn",
        f"On hold{who}",
        at.run.hold_reason or "The run is on hold.",
        "Nothing new starts; checks go on. Resume when the cause is gone, or roll back.",
        at.beside,
    )


def _completed(at: At) -> NextStep:
    return NextStep(
        "ok",
        "Nothing to do",
        "Completed: every row is in the new table.",
        "A rollback stays possible until an approver seals the run.",
        at.beside,
    )


def _over(headline: str, tone: str = "ok") -> Says:
    def say(at: At) -> NextStep:
        return NextStep(tone, "Nothing to do", headline, "", at.beside)

    return say


BY_RUN: dict[str, Says] = {
    "draft": _draft,
    "awaiting_approval": _awaiting,
    "approved": _approved,
    "on_hold": _held,
    "completed": _completed,
    "sealed": _over("Sealed: the retention is over."),
    "cancelled": _over("Cancelled before anything changed."),
    "rolled_back": _over("Rolled back: everything that was applied has been undone.", "warn"),
}


def _pending(at: At) -> NextStep:
    return NextStep("run", "Next", f"Phase {at.phase.number} waits for the one before it.", "", at.beside)


def _ready(at: At) -> NextStep:
    phase = at.phase
    missing = _missing(at, f"start:{phase.number}")
    if missing:
        return NextStep(
            "run",
            _whose(at),
            f"Phase {phase.number} may start after the signature of {missing}.",
            f"It does: {phase.purpose}.",
            at.beside,
        )
    return NextStep(
        "run",
        _whose(at),
        f"Start phase {phase.number}: {phase.title}.",
        f"{phase.owner or 'Somebody'} ({phase.owner_role}) owns it: {phase.purpose}.",
        at.beside,
    )


def _asked(phase: PhaseView) -> StepView | None:
    """The step for which a person's word is awaited."""
    return next(
        (s for s in phase.steps if s.state == "waiting" and s.confirm_text and not s.confirmed_by), None
    )


def _running(at: At) -> NextStep:
    phase = at.phase
    asked = _asked(phase)
    if asked is not None:
        return NextStep(
            "run",
            "Next for you" if asked.may_confirm else "Next",
            f"Confirm step {asked.place}: {asked.title}.",
            f"{asked.confirm_role} gives the evidence below.",
            at.beside,
        )
    if phase.number == MONITORING and at.window is not None and not at.window.broken and not phase.fleet:
        return watching.watching(at.window, at.beside)
    return _alone(at) or NextStep(
        "run",
        "Running",
        f"Nothing to press. Phase {phase.number} is at work.",
        phase.waiting or f"{phase.steps_done} of {len(phase.steps)} steps are done. This page may be closed.",
        at.beside,
    )


def _alone(at: At) -> NextStep | None:
    """What to say of a phase that nobody is at though somebody should be; None otherwise."""
    if at.phase.fleet:
        return NextStep(
            "bad",
            "No worker",
            at.phase.fleet,
            "Start workers and beat: the work then resumes where it was. What was committed stands.",
            at.beside,
        )
    if not at.phase.worker_lost:
        return None
    return NextStep(
        "warn",
        "Worker lost",
        f"{at.phase.worker_lost}. Nothing to press.",
        "What was committed stands; the work resumes where it was.",
        at.beside,
    )


def _pausing(at: At) -> NextStep:
    return _alone(at) or NextStep(
        "warn", "Pausing", "Nothing to press: it stops at the next safe place.", "", at.beside
    )


def _paused(at: At) -> NextStep:
    return NextStep(
        "warn",
        _whose(at),
        f"Phase {at.phase.number} is paused. Resume it.",
        "What is done stays done.",
        at.beside,
    )


def _to_sign(at: At) -> NextStep:
    return NextStep(
        "run",
        _whose(at),
        f"Sign phase {at.phase.number}: {_missing(at, f'phase:{at.phase.number}')}.",
        "Every step is done. Read what they found below, then sign.",
        at.beside,
    )


def _failed(at: At) -> NextStep:
    return NextStep(
        "bad",
        "Failed",
        f"Phase {at.phase.number} failed. Remove the cause and retry, or roll back.",
        at.phase.next_step or "What stands is said below; nothing is half done.",
        at.beside,
    )


def _undoing(at: At) -> NextStep:
    asked = _asked(at.phase)
    if asked is not None:
        return NextStep(
            "run",
            "Next for you" if asked.may_confirm else "Next",
            f"Confirm: {asked.confirm_text}",
            f"{asked.confirm_role} gives the evidence below.",
            at.beside,
        )
    return _alone(at) or NextStep(
        "warn",
        "Rolling back",
        f"Nothing to press. Phase {at.phase.number} is being undone.",
        at.phase.waiting,
        at.beside,
    )


def _undone(at: At) -> NextStep:
    return NextStep(
        "warn", "Rolling back", "Nothing to press: the next phase is undone in a moment.", "", at.beside
    )


def _undo_failed(at: At) -> NextStep:
    return NextStep(
        "bad",
        "Undo failed",
        f"The undo of phase {at.phase.number} stopped. Remove the cause and retry.",
        at.phase.next_step or "What was undone so far is kept; the rest still stands.",
        at.beside,
    )


BY_PHASE: dict[str, Says] = {
    "pending": _pending,
    "ready": _ready,
    "running": _running,
    "pausing": _pausing,
    "paused": _paused,
    "awaiting_sign_off": _to_sign,
    "done": _undone,
    "failed": _failed,
    "undoing": _undoing,
    "undone": _undone,
    "undo_failed": _undo_failed,
}
