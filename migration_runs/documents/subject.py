"""What documents are about: a run as its page shows it, its plan, and what is kept beside both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from migration_runs.runbook.monitoring import Bound
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.phase_views import PhaseView
from migration_runs.selectors.run_views import RunView


@dataclass(frozen=True)
class Lesson:
    """A lesson learned: who wrote it, when, and what."""

    by: str
    at: datetime
    text: str


@dataclass(frozen=True)
class PlanChange:
    """A plan that this run had before or has now: since when, by whom, and what about it differed."""

    digest: str
    at: datetime
    by: str
    what: str


@dataclass(frozen=True)
class Subject:
    """The run and plan that a document is made from. ``emails`` are those of the people named for roles."""

    run: RunView
    plan: Plan
    lessons: tuple[Lesson, ...] = ()
    plan_changes: tuple[PlanChange, ...] = ()
    emails: tuple[tuple[str, str], ...] = ()

    @property
    def header(self) -> tuple[tuple[str, str], ...]:
        """What every document says about itself: it can be read months later and far from the panel."""
        run = self.run
        return (
            ("Run", f"{run.name} on {run.target}"),
            ("Plan", short(run.digest)),
            ("On rollback", f"{run.data_decision} copied rows"),
            ("State", run.state.replace("_", " ")),
        )


def short(digest: str) -> str:
    """The first twelve digits of a digest, in groups of four."""
    return " ".join(digest[at : at + 4] for at in range(0, 12, 4))


def moment(value: datetime | None) -> str:
    """A moment in UTC, to the minute."""
    return f"{value.astimezone(UTC):%a %d %b %Y, %H:%M UTC}" if value else ""


def clock(value: datetime | None) -> str:
    """Weekday and time of a moment in UTC."""
    return f"{value.astimezone(UTC):%a %H:%M}" if value else ""


def lasts(value: timedelta | None) -> str:
    """Minutes up to two hours, then hours."""
    if value is None:
        return ""
    minutes = value.total_seconds() / 60
    if minutes < 1:
        return f"{value.total_seconds():.0f} s"
    return f"{minutes:.0f} min" if minutes <= 120 else f"{minutes / 60:.0f} h"


def owner_of(phase: PhaseView) -> str:
    """The role that owns a phase, and who that is in this run."""
    return f"{phase.owner_role}, {phase.owner}" if phase.owner else str(phase.owner_role)


def bound(given: Bound | None, *, unit: str) -> str:
    """A condition in words: ``below 5 min``, ``80 to 120``. Empty for none."""
    if given is None:
        return ""
    if given.at_least is not None and given.at_most is not None:
        return f"{_amount(given.at_least, unit)} to {_amount(given.at_most, unit)}"
    words = (
        ("below", given.below), ("at most", given.at_most), ("above", given.above),
        ("at least", given.at_least), ("exactly", given.equals),
    )  # fmt: skip
    return ", ".join(f"{word} {_amount(value, unit)}" for word, value in words if value is not None)


def _amount(value: float, unit: str) -> str:
    if unit != "seconds":
        return f"{value:g}"
    return f"{value / 60:g} min" if value >= 60 and value % 60 == 0 else f"{value:g} s"
