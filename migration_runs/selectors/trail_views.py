"""What pages show of the audit trail and of the run's log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class EventView:
    """An audit event as a sentence, with its raw detail."""

    seq: int
    at: datetime
    actor: str
    actor_how: str
    action: str
    sentence: str
    detail: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class LogLineView:
    """A line of the run's log."""

    id: int
    at: datetime
    level: str
    phase: int | None
    place: str
    text: str


@dataclass(frozen=True)
class TrailEvent:
    """An event on the page of the trail: what it was done to, its run, and its content as it is exported."""

    event: EventView
    object: str
    run_id: int | None
    run_name: str
    prev_hash: str
    raw: dict[str, Any]
    raw_text: str


@dataclass(frozen=True)
class TrailPage:
    """Events, newest first. ``newer_than`` and ``older_than`` lead to the pages beside it; None: no more."""

    events: tuple[TrailEvent, ...]
    newer_than: int | None
    older_than: int | None


@dataclass(frozen=True)
class EventProof:
    """Whether an event's hash is over what it says, and whether it names the hash of the one before it."""

    unchanged: bool
    chained: bool


@dataclass(frozen=True)
class EventPage:
    """One event, the numbers of those beside it, and whether it is as it was written."""

    shown: TrailEvent
    earlier: int | None
    later: int | None
    proof: EventProof


@dataclass(frozen=True)
class ChainView:
    """What the last reading of the whole trail found, and how long the trail is now.

    ``state`` is ``chain_unread``, ``chain_whole``, ``chain_late`` or ``chain_broken``; ``events`` is how far
    the chain was whole at ``at``.
    """

    state: str
    at: datetime | None
    events: int
    broken_at: int | None
    why: str
    head: int
    head_hash: str

    @property
    def since(self) -> int:
        """Events that were written after the last reading."""
        return max(0, self.head - self.events)
