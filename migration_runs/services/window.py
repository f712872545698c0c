"""When a monitoring window is whole: a pure rule on rows, and the same question for a run.

Whole: at least the window's hours have passed without interruption, every check that was due has a
result, none failed or was missed (pass, warn and closed do not fail), and at least
``min_open_checks`` rounds fell into open hours of the market.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from migration_runs.models import DueCheck, Run
from migration_runs.runbook.plan import Plan
from migration_runs.services.situation import Situation

WHOLE = "whole"
GRACE = timedelta(seconds=10)
"""A check may always be this late, however short the interval."""


@dataclass(frozen=True)
class WindowRule:
    """A window's measures in real time: market hours and minutes at the plan's clock speed."""

    length: timedelta
    interval: timedelta
    min_open_checks: int

    @classmethod
    def of(cls, plan: Plan) -> WindowRule:
        """The rule of a plan."""
        window = plan.runbook.window
        return cls(
            length=timedelta(hours=window.hours / plan.clock_speed),
            interval=timedelta(minutes=window.interval_minutes / plan.clock_speed),
            min_open_checks=window.min_open_checks,
        )

    @property
    def lateness(self) -> timedelta:
        """How long after its due time a check may still finish.

        A quarter of the interval, ten seconds at least.
        """
        return max(self.interval / 4, GRACE)

    @property
    def rounds(self) -> int:
        """Rounds that are due in the window; the last one at its end."""
        return max(1, round(self.length / self.interval))


@dataclass(frozen=True)
class WindowVerdict:
    """What is known of a window.

    ``broken`` cannot heal; ``lacks`` says in plain words what is missing to be whole.
    """

    whole: bool
    broken: bool
    lacks: tuple[str, ...]


def judge(
    rows: Iterable[DueCheck], *, rule: WindowRule, started_at: datetime, now: datetime, interrupted: str = ""
) -> WindowVerdict:
    """The verdict on a window from its due checks. ``interrupted`` is why it ended before it was whole."""
    checks = list(rows)
    due = [row for row in checks if row.due_at <= now]
    bad = [r for r in checks if r.state == DueCheck.State.MISSED or r.verdict == "fail"]
    waiting = [r for r in due if r.state in {DueCheck.State.PENDING, DueCheck.State.RUNNING}]
    open_rounds = {r.round for r in checks if r.state == DueCheck.State.DONE and r.market_open}
    lacks = []
    if interrupted:
        lacks.append(f"it was interrupted: {interrupted}")
    lacks += [
        f"{r.check_key} of round {r.round} {'was missed' if r.state == DueCheck.State.MISSED else 'failed'}"
        for r in bad
    ]
    if now - started_at < rule.length:
        lacks.append(f"it ends at {started_at + rule.length:%Y-%m-%d %H:%M:%S} UTC")
    if waiting:
        lacks.append(f"{len(waiting)} checks that were due have no result yet")
    if not checks:
        lacks.append("it has no checks")
    if len(open_rounds) < rule.min_open_checks:
        lacks.append(f"{len(open_rounds)} of {rule.min_open_checks} rounds in open market hours")
    return WindowVerdict(whole=not lacks, broken=bool(interrupted or bad), lacks=tuple(lacks))


def verdict_of(at: Situation) -> WindowVerdict:
    """The verdict on the run's newest window; without one, that there is none."""
    window = at.window
    if window is None:
        return WindowVerdict(whole=False, broken=False, lacks=("monitoring has not started",))
    interrupted = window.end_reason if window.ended_at and window.end_reason != WHOLE else ""
    # A window that was found whole is judged as of its end: nothing is due in it any more.
    now = window.ended_at or at.now()
    return judge(
        at.due_checks,
        rule=WindowRule.of(at.plan),
        started_at=window.started_at,
        now=now,
        interrupted=interrupted,
    )


def is_whole(run_id: int) -> bool:
    """Whether the run's newest window is whole. Raises Run.DoesNotExist."""
    return verdict_of(Situation(Run.objects.get(pk=run_id))).whole
