"""What the engine hands back. Frozen, plain, JSON-friendly: no connection, no model, no secret."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

Verdict = Literal["pass", "warn", "fail", "closed"]


@dataclass(frozen=True)
class Waiting:
    """Why a phase waits without a worker, and when to look again (None: when a person acts)."""

    step: str
    kind: Literal["confirmation", "observation", "window", "drain", "dump"]
    text: str
    look_again_s: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a phase's execution (or undoing) by one worker ended.

    ``finished``: every step done. ``waiting``: nothing to do until ``waiting`` is answered; the
    lease is given back. ``paused``: stopped at a safe place because asked. ``failed``: ``error``
    says what happened, ``kept`` what stands, ``next_step`` what to do.
    """

    status: Literal["finished", "waiting", "paused", "failed"]
    step: str | None = None
    waiting: Waiting | None = None
    error: str = ""
    kept: str = ""
    next_step: str = ""


@dataclass(frozen=True)
class StepResult:
    """What a step did, in words and numbers. ``rows`` counts rows written. ``details`` is JSON."""

    summary: str
    rows: int = 0
    skipped: bool = False
    waiting: Waiting | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepPreview:
    """What a step will do, before it does: locks taken, rows expected, seconds, how it is undone."""

    summary: str
    locks: str
    seconds: float
    rows: int | None = None
    undo: str = ""


@dataclass(frozen=True)
class CheckOutcome:
    """One health check's verdict, with the number, the text and the (floored) bounds that judged it.

    ``shown`` is a second number that judges nothing.
    """

    check: str
    verdict: Verdict
    value: float | None
    detail: str
    bound: str
    market_now: datetime
    market_open: bool
    seconds: float
    shown: float | None = None


@dataclass(frozen=True)
class Difference:
    """One row that differs: its key, how (missing or extra in the target, or different), both images.

    ``columns`` are those in which they differ: all of them where one image is None.
    """

    key: dict[str, str]
    kind: Literal["missing", "extra", "different"]
    source: dict[str, str | None] | None
    target: dict[str, str | None] | None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """A comparison of source and target: under one snapshot, or the sum of parts with a snapshot each.

    ``pending`` differences are on the touched list (dual-write lag) and do not count in the others; the
    oldest has waited ``pending_s`` seconds, and ``overdue`` of them longer than lag explains. ``vanished``
    differences without a reason were seen once and were gone at the second look. ``broken_rules`` are rules
    about the data that failed beside them.
    """

    source_rows: int
    target_rows: int
    missing: int
    extra: int
    different: int
    pending: int
    lowest: str | None
    highest: str | None
    seconds: float
    columns: tuple[str, ...]
    examples: tuple[Difference, ...] = ()
    overdue: int = 0
    pending_s: float = 0.0
    vanished: int = 0
    broken_rules: tuple[str, ...] = ()

    def between(self, lowest: str | None, highest: str | None) -> Verification:
        """The same with the lowest and the highest value of the chunk column."""
        return replace(self, lowest=lowest, highest=highest)

    @property
    def differing(self) -> int:
        """Differences that the touched list does not explain."""
        return self.missing + self.extra + self.different

    @property
    def clean(self) -> bool:
        """No difference without a reason, none whose reason is older than lag can be, no rule broken."""
        return not (self.differing or self.overdue or self.broken_rules)


@dataclass(frozen=True)
class RuleFound:
    """What a rule about the data showed: rows that break it, the first of them with key and detail.

    ``error`` says why it could not be asked, which is no sign of health.
    """

    key: str
    title: str
    severity: Literal["fail", "warn"]
    offending: int
    examples: tuple[dict[str, str], ...]
    seconds: float
    error: str = ""

    @property
    def holds(self) -> bool:
        """Whether it was asked and no row breaks it."""
        return not (self.offending or self.error)

    @property
    def fails(self) -> bool:
        """Whether it makes the verification unclean."""
        return self.severity == "fail" and not self.holds


@dataclass(frozen=True)
class RollbackItem:
    """One thing that a rollback would undo."""

    phase: int
    step: str
    title: str
    action: str
    locks: str
    rows: int
    seconds: float


@dataclass(frozen=True)
class RollbackPreview:
    """What a rollback would do now, from the ledger: nothing is changed by computing it."""

    items: tuple[RollbackItem, ...]
    rows: int
    seconds: float
    keeps: tuple[str, ...]
    asks: tuple[str, ...]
    data_decision: Literal["keep", "delete"]
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True)
class CopyFigures:
    """How a copy goes, beside its rows: chunks that are done, rows that the next one has, and how many
    milliseconds the longest held its rows before its commit began. ``touched`` keys are yet to be made equal
    by the drain, the oldest for ``oldest_s`` seconds.
    """

    chunks: int
    chunk_rows: int
    longest_ms: float
    touched: int
    oldest_s: float


@dataclass(frozen=True)
class DualWriteStatus:
    """Live figures of the sync triggers: directions that are on, keys to be drained, the oldest's age."""

    forward: bool
    reverse: bool
    touched: int
    oldest_s: float
    source_rows: int
    target_rows: int
