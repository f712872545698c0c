"""What to do while phase 8 watches, or is held by what it saw: the sentence above everything else."""

from __future__ import annotations

from datetime import datetime, timedelta

from migration_runs import durations
from migration_runs.selectors.run_views import NextStep
from migration_runs.selectors.window_views import RoundView, WindowView
from migration_runs.services.offer import Action

FRESH_WINDOW = (
    "Checks go on during the hold. When the cause is gone, resume: a fresh window of {hours:g} h starts. "
    "Or roll back."
)


def watching(window: WindowView, actions: tuple[Action, ...]) -> NextStep:
    """A window that nothing has broken: healthy, warned, or waiting for more open hours."""
    kicker = f"Healthy since {moment(window.started_at, window)}"
    if window.last is not None and window.last.finished_at is not None:
        since = durations.said(max(int((window.now - window.last.finished_at).total_seconds()), 0))
        kicker += f" · last check {moment(window.last.due_at, window)}, {since} ago"
    if window.whole:
        return NextStep("ok", kicker, "Nothing to do. The window is whole.", "", actions, market(window))
    coming = window.next_round
    due = f" Next check {moment(coming.due_at, window)}." if coming else ""
    if window.warns_now and window.last is not None:
        return NextStep(
            "warn",
            kicker.replace("Healthy", "Nothing failed"),
            f"Watch: {_warned(window.last)}.",
            f"A warning does not break the window.{due} {_advice(window.last)}".strip(),
            actions,
            market(window),
        )
    return NextStep("ok", kicker, f"Nothing to do.{due}", _unlocks(window), actions, market(window))


def held(window: WindowView, *, by: str, reason: str, actions: tuple[Action, ...]) -> NextStep:
    """A run that is held since a check failed or was missed."""
    broke = next((view for view in window.own_rounds if view.verdict in {"fail", "missed"}), None)
    when = f" · window {window.number} ended {moment(window.ended_at, window)}" if window.ended_at else ""
    advice = _advice(broke) if broke else ""
    return NextStep(
        "bad",
        f"On hold{by}{when}",
        reason or "The run is on hold.",
        f"{advice} {FRESH_WINDOW.format(hours=window.hours)}".strip(),
        actions,
        market(window),
    )


def market(window: WindowView) -> str:
    """That the market is closed, and since when on its own clock; empty while it is open."""
    return f"Market closed since {window.closed_since:%a %H:%M}" if window.closed_since else ""


def moment(at: datetime, window: WindowView) -> str:
    """A moment as this window's length deserves: with seconds where hours of it pass in minutes."""
    return f"{at:%H:%M:%S}" if window.clock_speed > 1 else f"{at:%a %H:%M}"


def _warned(view: RoundView) -> str:
    found = view.troubles[0]
    return f"{found.title}: {found.said}" + (f", {found.rule}" if found.rule else "")


def _advice(view: RoundView) -> str:
    return next((check.what_to_do for check in view.troubles if check.what_to_do), "")


def _unlocks(window: WindowView) -> str:
    left = window.ends_at - window.now
    lacking = window.open_needed - window.open_checks
    wanted = "if every check until then has a result and none fails"
    if left > timedelta():
        remains = durations.said(left.total_seconds())
        words = f"Cleanup unlocks {moment(window.ends_at, window)} UTC, in {remains}, {wanted}"
    else:
        words = "The hours are over; the window goes on until nothing is missing"
    if lacking > 0:
        words += (
            f"; it needs {lacking} more {'round' if lacking == 1 else 'rounds'} in open hours of the market"
        )
    return f"{words}."
