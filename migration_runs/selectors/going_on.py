"""Runs that are under way: phase, progress, end and health of each, for the start page."""

from __future__ import annotations

from datetime import datetime, timedelta

from migration_runs.models import DueCheck, PhaseRun, StepRun
from migration_runs.selectors.start_views import GoingView
from migration_runs.selectors.steps_in_front import StepsInFront
from migration_runs.selectors.workers import Hands, hands_of, lost_in_words
from migration_runs.services import gates, readiness
from migration_runs.services.fleet import Signs
from migration_runs.services.situation import Situation
from migration_runs.services.window import WindowRule
from migration_runs.states import PhaseState, RunState

GOING = (RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.ROLLING_BACK)
MONITORING = 8
P = PhaseState
PHASE_HEALTH = {
    P.FAILED: ("failed", "failed"),
    P.UNDO_FAILED: ("undo_failed", "undo failed"),
    P.PAUSED: ("paused", "paused"),
    P.PAUSING: ("pausing", "pausing"),
    P.UNDOING: ("undoing", "rolling back"),
}
NO_END = {state: word for state, (_, word) in PHASE_HEALTH.items()} | {P.AWAITING_SIGN_OFF: "now"}


def front_of(at: Situation) -> PhaseRun | None:
    """The phase in front: the one under way, else the next to start; None when all are over."""
    return at.current or next((p for p in at.phases.values() if p.state == P.READY), None)


def going(at: Situation, steps: StepsInFront, signs: Signs) -> GoingView:
    """One run that is under way."""
    phase = front_of(at)
    hands = hands_of(phase, now=signs.now) if phase else Hands(wanted=False, leased=False, lost_s=None)
    trouble = (signs.silence.rstrip(".") or lost_in_words(hands.lost_s)) if hands.missing else ""
    done, total, words = _progress(at, phase, steps)
    ends_at, ends_word = _end(at, phase, steps, signs.now, stalled=bool(trouble))
    health, health_word = ("worker_lost", trouble) if trouble else _health(at, phase, leased=hands.leased)
    return GoingView(
        id=at.run.pk,
        name=at.run.name,
        target=at.run.target,
        digest=at.run.plan_id,
        phase=f"{phase.number} {phase.phase.title}" if phase else "",
        done=done,
        total=total,
        complete=phase is not None and phase.state == P.AWAITING_SIGN_OFF,
        words=words + (", as last told" if trouble else ""),
        ends_at=ends_at,
        ends_word=ends_word,
        health=health,
        health_word=health_word,
    )


def _progress(at: Situation, phase: PhaseRun | None, steps: StepsInFront) -> tuple[int, int, str]:
    """Done, total, and both in words."""
    if phase is None:
        over = sum(row.state == P.UNDONE for row in at.phases.values())
        return over, max(over, 1), f"{over} phases undone"
    if phase.state == P.READY:
        before = phase.number - 1
        return before, len(at.phases), f"{before} of {len(at.phases)} phases done, waits for its start"
    if phase.state == P.AWAITING_SIGN_OFF:
        missing = " and ".join(role.value for role in gates.missing(at, gates.phase_gate(phase.number)))
        return 1, 1, f"every step done, waits for the signature of {missing}"
    if phase.number == MONITORING and at.window is not None and at.window.ended_at is None:
        return _rounds(at.due_checks)
    step = steps.at_work(phase.pk)
    if step is not None and step.total:
        return step.done, step.total, f"{step.done:,} of {step.total:,} {step.unit}: {step.title}"
    known, over = len(steps.of(phase.pk)), steps.done(phase.pk)
    at_work = f": {step.title}" if step is not None else ""
    return over, max(known, 1), f"{over} of {known} steps{at_work}"


def _rounds(rows: list[DueCheck]) -> tuple[int, int, str]:
    open_states = {DueCheck.State.PENDING, DueCheck.State.RUNNING}
    total = {row.round for row in rows}
    left = {row.round for row in rows if row.state in open_states}
    bad = _bad(rows)
    said = f"{bad} failed or missed" if bad else "none failed"
    return len(total - left), max(len(total), 1), f"round {len(total - left)} of {len(total)}, {said}"


def _bad(rows: list[DueCheck]) -> int:
    return sum(row.state == DueCheck.State.MISSED or row.verdict == "fail" for row in rows)


def _end(
    at: Situation, phase: PhaseRun | None, steps: StepsInFront, now: datetime, *, stalled: bool
) -> tuple[datetime | None, str]:
    """When the phase ends, and what that time is worth; or a word where no time can be said."""
    if at.run.state == RunState.ON_HOLD:
        return None, "on hold"
    if phase is None or phase.state in NO_END:
        return None, NO_END[PhaseState(phase.state)] if phase else ""
    if phase.state == P.READY:
        return phase.planned_start, "planned start"
    return _end_of_work(at, phase, None if stalled else steps.at_work(phase.pk), now)


def _end_of_work(
    at: Situation, phase: PhaseRun, step: StepRun | None, now: datetime
) -> tuple[datetime | None, str]:
    if phase.number == MONITORING and at.window is not None and at.window.ended_at is None:
        return at.window.started_at + WindowRule.of(at.plan).length, "if whole"
    if step is not None and (eta := _eta(step, now)):
        return eta, "at this rate"
    if phase.started_at is None:
        return None, ""
    return phase.started_at + timedelta(minutes=phase.planned_minutes), "as planned"


def _eta(step: StepRun, now: datetime) -> datetime | None:
    if step.state != "running" or not step.done or not step.total or step.started_at is None:
        return None
    spent = (now - step.started_at).total_seconds()
    return now + timedelta(seconds=spent / step.done * max(0, step.total - step.done))


def _health(at: Situation, phase: PhaseRun | None, *, leased: bool) -> tuple[str, str]:
    """The one word about the run that matters most, while nobody is missing who should be at it."""
    if at.run.state == RunState.ON_HOLD:
        return "on_hold", "hold"
    if phase is not None and phase.state in PHASE_HEALTH:
        return PHASE_HEALTH[PhaseState(phase.state)]
    if phase is not None and phase.number >= MONITORING and at.due_checks and _bad(at.due_checks):
        return "fail", "check failed"
    if at.verification is not None:
        unclean = readiness.unclean_report(at) is not None
        return ("verify_differs", "not equal") if unclean else ("verify_clean", "equal")
    return ("running", "at work") if leased else ("waiting", "waits")
