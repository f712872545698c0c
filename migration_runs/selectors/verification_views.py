"""What the verification box of a run's pages shows: the pass under way, the last results, what follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["full", "touched"]


@dataclass(frozen=True)
class PassView:
    """A full pass that is under way, or was left.

    ``at_work``: a worker compares this run now. ``last_sign`` is when one last told something of the pass.
    ``buckets`` is how many there will be, unknown (None) while some have never been compared;
    ``rows_expected`` is an estimate, None where nothing is known. ``rate`` is rows per second since its
    worker took it up. ``trouble`` says why it could not go on when last tried.
    """

    number: int
    digests: bool
    started_at: datetime
    worker: str
    at_work: bool
    taken_at: datetime | None
    last_sign: datetime
    asked_at: datetime
    buckets_done: int
    buckets: int | None
    rows_done: int
    rows_expected: int | None
    rate: float | None
    trouble: str
    kept: str
    next_step: str

    @property
    def lost(self) -> str:
        """``Worker lost, last heard of 14 s ago``; empty while one is at work or has said why it stopped."""
        if self.at_work or self.trouble or not self.worker:
            return ""
        silent = max((self.asked_at - self.last_sign).total_seconds(), 0)
        return f"Worker lost, last heard of {silent:.0f} s ago, resuming"

    @property
    def eta(self) -> datetime | None:
        """When the last row will have been compared at this rate; None where rows or rate are unknown."""
        if not self.at_work or not self.rate or not self.rows_expected:
            return None
        left = self.rows_expected - self.rows_done
        return self.asked_at + timedelta(seconds=left / self.rate) if left > 0 else None


@dataclass(frozen=True)
class LookTroubleView:
    """Why no look at what was touched can be made, outside any full pass: since when, and last tried when."""

    reason: str
    kept: str
    next_step: str
    since: datetime | None
    tried_at: datetime | None


@dataclass(frozen=True)
class ResultView:
    """What a finished comparison found. A look's rows are those that it looked at, not all.

    ``oldest`` is when the first of its snapshots was taken: nothing in it is older. ``longest_s`` is how long
    the slowest bucket took, None where nobody knows. ``fault`` is empty when it is clean.
    """

    kind: Kind
    number: int | None
    at: datetime
    oldest: datetime
    clean: bool
    fault: str
    seconds: float
    source_rows: int
    target_rows: int
    missing: int
    extra: int
    different: int
    pending: int
    pending_since: datetime | None
    overdue: int
    vanished: int
    buckets: int
    longest_s: float | None
    digests: bool
    columns: int

    @property
    def differing(self) -> int:
        """Rows that differ without a reason."""
        return self.missing + self.extra + self.different

    @property
    def name(self) -> str:
        """``full pass 3`` or ``look at what was touched``."""
        return (
            f"full pass {self.number or ''}".rstrip() if self.kind == "full" else "look at what was touched"
        )


@dataclass(frozen=True)
class CellView:
    """A column of a row that differs, both values as text; None is NULL. Long values are cut."""

    column: str
    source: str | None
    target: str | None


@dataclass(frozen=True)
class DifferenceView:
    """A row that differs: how, its key, the columns in which it does, and since when that is known.

    A row that one side lacks has the values of the other in ``cells``; ``state`` is ``row_missing``,
    ``row_extra`` or ``row_different``.
    """

    state: str
    key: tuple[tuple[str, str], ...]
    cells: tuple[CellView, ...]
    first_seen: datetime | None


@dataclass(frozen=True)
class RuleView:
    """A rule about the data and what its last question showed. ``state`` is ``rule_holds``, ``rule_broken``,
    ``rule_warns``, ``rule_unasked`` (it could not be asked) or ``to_come``; ``asked`` says when it is asked.
    """

    key: str
    title: str
    why: str
    file: str
    asked: str
    state: str
    severity: str
    offending: int
    error: str
    what_to_do: str
    examples: tuple[tuple[tuple[str, str], ...], ...]

    @property
    def bad(self) -> bool:
        """Whether somebody should look."""
        return self.state in {"rule_broken", "rule_warns", "rule_unasked"}

    @property
    def fails(self) -> bool:
        """Whether it makes the verification unclean."""
        return self.bad and self.severity == "fail"


@dataclass(frozen=True)
class VerificationView:
    """The verification of a run as its pages show it.

    ``state`` is the verdict on what is known: ``verify_none``, ``verify_clean``, ``verify_differs`` or
    ``verify_over``. ``activity`` is what goes on now, empty when nothing does. ``against`` is the result that
    speaks against equality. ``follows`` is what the verdict means for the run, ``to_do`` the one thing to do
    next.
    """

    state: str
    activity: str
    live: bool
    open_pass: PassView | None
    full: ResultView | None
    look: ResultView | None
    against: ResultView | None
    rules: tuple[RuleView, ...]
    differences: tuple[DifferenceView, ...]
    asked: str
    late: str
    follows: str
    to_do: str
    next_due: datetime | None
    look_trouble: LookTroubleView | None = None

    @property
    def stuck(self) -> bool:
        """Whether a pass is open that nobody is at."""
        return self.open_pass is not None and not self.open_pass.at_work

    @property
    def unsure(self) -> bool:
        """Whether the last verdict grows old: nobody compares, though it is due."""
        return self.stuck or bool(self.late) or self.look_trouble is not None

    @property
    def broken_rules(self) -> tuple[RuleView, ...]:
        """Rules whose rows somebody should look at."""
        return tuple(rule for rule in self.rules if rule.bad)
