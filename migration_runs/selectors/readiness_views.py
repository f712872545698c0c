"""What pages show of the readiness checklist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migration_runs.phases import Role


@dataclass(frozen=True)
class TakenBack:
    """A tick that does not count any more: whose, and who took it back, when and why."""

    by: str
    at: datetime
    void_by: str
    void_at: datetime
    reason: str


@dataclass(frozen=True)
class ReadinessView:
    """A line of the readiness checklist.

    ``by`` and ``at`` are of the tick that counts; of an automatic item since when its fact is known.
    ``later``: it cannot be ticked before the run has ended.
    ``known_from`` says from what the panel knows it. ``person`` is who is named for the role.
    """

    key: str
    group: str
    text: str
    role: Role
    automatic: bool
    ticked: bool
    by: str
    at: datetime | None
    may_tick: bool
    later: bool = False
    person: str = ""
    evidence: str = ""
    known_from: str = ""
    may_untick: bool = False
    taken_back: tuple[TakenBack, ...] = ()


@dataclass(frozen=True)
class ReadinessGroup:
    """One of the four groups. ``gates``: phase 1 does not start before it is complete."""

    key: str
    title: str
    purpose: str
    gates: bool
    items: tuple[ReadinessView, ...]

    @property
    def ticked(self) -> int:
        """Items that are so."""
        return sum(item.ticked for item in self.items)

    @property
    def complete(self) -> bool:
        """Whether nothing of it is open."""
        return self.ticked == len(self.items)

    @property
    def missing(self) -> tuple[ReadinessView, ...]:
        """What is open."""
        return tuple(item for item in self.items if not item.ticked)
