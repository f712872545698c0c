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
