"""What a verification means for its run, and the one thing to do next, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from migration_runs.models import Run
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.phase_views import PhaseView
from migration_runs.selectors.verification_views import ResultView, VerificationView
from migration_runs.selectors.window_views import WindowView

MONITORING = 8
BEFORE_IT = frozenset({"pending", "ready"})

NOBODY_COMES = (
    "Look whether beat and workers of the queues verification and checks are alive; then read the log."
)


def follows(
    at: VerificationView,
    phases: Mapping[int, PhaseView],
    window: WindowView | None,
    *,
    hold_at: datetime | None,
) -> str:
    """Whether it holds phase 8 and locks phase 9. ``hold_at``: when silence alone would hold the run."""
    if not at.live:
        return _without_two_sides(at)
    locks = "phase 9 until a full pass is clean"
    if at.against is not None and phases[MONITORING].state not in BEFORE_IT:
        return f"Holds phase 8 and has ended its window. Locks {locks}."
    if at.against is not None:
        return f"Holds nothing yet: in phase 8 it would hold the run. Locks {locks}."
    if hold_at is not None and (at.late or at.stuck):
        return f"If no full pass ends by {hold_at:%H:%M:%S}, phase 8 is held and its window ends."
    return _clean(at.full, window) if at.full is not None else f"Locks {locks}."


def _without_two_sides(at: VerificationView) -> str:
    if at.state == "verify_over":
        return "Ended with the start of phase 9, which compares once more itself before it retires rows."
    if at.full is not None:
        return "Nothing is compared now."
    return "Before the end of phase 4 there are not two sides to compare."


def _clean(full: ResultView, window: WindowView | None) -> str:
    if window is None:
        return "Holds nothing. Phase 9 asks for a full pass that began after the window of phase 8 did."
    if full.oldest < window.started_at:
        return "Holds nothing. Too old for phase 9: it began before the window did. The next pass counts."
    return "Holds nothing. Phase 9 accepts it for as long as it is recent and no look says otherwise."


def to_do(at: VerificationView, run: Run, plan: Plan) -> str:
    """The one thing to do next; empty where nothing is asked of anybody."""
    if not at.live:
        return ""
    if at.stuck and at.open_pass is not None and at.open_pass.trouble:
        return _sentence(at.open_pass.next_step) or "Find out why, then verify again."
    if at.against is None and at.look_trouble is not None:
        return _sentence(at.look_trouble.next_step) or "Find out why, then verify again."
    if at.against is None:
        return NOBODY_COMES if at.late else ""
    again = " Then verify again" + (", and resume." if run.state == "on_hold" else ".")
    return _against(at, at.against, plan) + again


def _against(at: VerificationView, result: ResultView, plan: Plan) -> str:
    if result.differing:
        tables = f"{plan.runbook.move.target} or {plan.runbook.move.source}"
        return f"Find out who wrote {tables} past the triggers, and correct the rows."
    if result.overdue:
        return "Read the log: it names keys that cannot be drained. Correct these rows."
    broken = next((rule for rule in at.rules if rule.fails), None)
    if broken is None:
        return "Read the report."
    return _sentence(broken.what_to_do) or f"Look at the rows that {broken.file} returns."


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
