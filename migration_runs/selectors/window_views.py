"""What pages show of the monitoring window and its checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
