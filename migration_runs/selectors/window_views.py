"""What pages show of the monitoring window and its checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

TO_COME = frozenset({"due", "due_now", "running"})
"""Verdicts of a round that has no result yet, and will have one."""
HOUR_MINUTES = 60


@dataclass(frozen=True)
class CheckView:
    """A health check's result, due or done. ``rule`` is how it is judged, ``bound`` how it was.

    ``second`` is a number that it measured besides, and that judges nothing.
    """

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
    unit: str = "number"
    rule: str = ""
    said: str = ""
    second: float | None = None

    @property
    def shown(self) -> str:
        """The verdict, or why there is none: missed, running, due, never."""
        if self.state == "done":
            return self.verdict
        return {"missed": "missed", "running": "running", "dropped": "never"}.get(self.state, "due")

    @property
    def bad(self) -> bool:
        """Whether it breaks the window."""
        return self.shown in {"fail", "missed"}


@dataclass(frozen=True)
class RoundView:
    """All checks of one hour of the window, and their worst verdict.

    ``on_hold``: made after its window had ended, while the run was held.
    """

    number: int
    due_at: datetime
    verdict: str
    checks: tuple[CheckView, ...]
    on_hold: bool = False

    @property
    def has_result(self) -> bool:
        """Whether every check of it was made or missed."""
        return self.verdict not in TO_COME and self.verdict != "never"

    @property
    def late_after(self) -> datetime:
        """When what has no result of it counts as missed."""
        return min(check.late_after for check in self.checks)

    @property
    def finished_at(self) -> datetime | None:
        """When its last result came."""
        return max((check.finished_at for check in self.checks if check.finished_at), default=None)

    @property
    def took(self) -> float | None:
        """Seconds from its due time to its last result."""
        return (self.finished_at - self.due_at).total_seconds() if self.finished_at else None

    @property
    def in_closed_hours(self) -> bool:
        """Whether the market was closed for every check that asked."""
        asked = [check.market_open for check in self.checks if check.market_open is not None]
        return bool(asked) and not any(asked)

    @property
    def troubles(self) -> tuple[CheckView, ...]:
        """Checks that warned, failed or were missed, worst first."""
        order = ("missed", "fail", "warn")
        found = [check for check in self.checks if check.shown in order]
        return tuple(sorted(found, key=lambda check: order.index(check.shown)))


@dataclass(frozen=True)
class WindowView:
    """A monitoring window: how much of it is whole, and what came of its checks.

    Due times are real; ``hours``, ``interval_minutes`` and ``elapsed`` are the target's market clock, which
    goes ``clock_speed`` times as fast. ``now`` is the control database's time of this picture.
    """

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
    now: datetime
    hours: float = 24.0
    interval_minutes: float = 60.0
    clock_speed: float = 1.0
    closed_since: datetime | None = None

    @property
    def done_rounds(self) -> int:
        """Rounds of the window itself whose checks all have a result."""
        return sum(view.has_result for view in self.own_rounds)

    @property
    def own_rounds(self) -> tuple[RoundView, ...]:
        """Rounds that count for it: not those during the hold after it."""
        return tuple(view for view in self.rounds if not view.on_hold)

    @property
    def all_rounds(self) -> int:
        """How many rounds a whole window has."""
        return round(self.hours * HOUR_MINUTES / self.interval_minutes)

    @property
    def shown_rounds(self) -> tuple[RoundView, ...]:
        """Rounds that have a tile: of a window that is over, only those that were looked at."""
        return tuple(view for view in self.rounds if view.verdict != "never")

    @property
    def due_rounds(self) -> int:
        """Rounds of the window itself that have been due so far."""
        until = self.ended_at or self.now
        return sum(view.due_at <= until for view in self.own_rounds if view.verdict != "never")

    @property
    def warned(self) -> tuple[RoundView, ...]:
        """Rounds in which a check warned, whatever else happened."""
        return tuple(view for view in self.own_rounds if any(one.shown == "warn" for one in view.checks))

    @property
    def last(self) -> RoundView | None:
        """The newest round that has its results."""
        return next((view for view in reversed(self.rounds) if view.has_result), None)

    @property
    def warns_now(self) -> bool:
        """Whether the newest round of the window itself warned."""
        done = [view for view in self.own_rounds if view.has_result]
        return bool(done) and done[-1].verdict == "warn"

    @property
    def next_round(self) -> RoundView | None:
        """The round that is looked at next."""
        return next((view for view in self.rounds if view.verdict in TO_COME), None)

    @property
    def closed_rounds(self) -> int:
        """Rounds that fell into closed hours of the market."""
        return sum(view.in_closed_hours for view in self.own_rounds)

    @property
    def elapsed(self) -> timedelta:
        """How long it has lasted, or lasted, on the market's clock."""
        real = (self.ended_at or self.now) - self.started_at
        return max(real, timedelta()) * self.clock_speed

    @property
    def length(self) -> timedelta:
        """How long it has to last, on the market's clock."""
        return timedelta(hours=self.hours)

    @property
    def minutes(self) -> int:
        """Minutes of the market that count towards its length."""
        return round(min(self.elapsed, self.length).total_seconds() / 60)

    @property
    def length_minutes(self) -> int:
        """Its length in minutes of the market."""
        return round(self.length.total_seconds() / 60)

    @property
    def round_word(self) -> str:
        """What a round is called: an hour where it is one on the market's clock."""
        return "Hour" if self.interval_minutes == HOUR_MINUTES else "Round"

    @property
    def broken(self) -> bool:
        """Whether a check failed or was missed, or the window ended before it was whole."""
        bad = self.counts["fail"] + self.counts["missed"]
        return bool(bad) or (self.ended_at is not None and not self.whole)

    def round(self, number: int) -> RoundView | None:
        """The round of this number."""
        return next((view for view in self.rounds if view.number == number), None)
