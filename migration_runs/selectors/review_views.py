"""What the page shows on which a plan is read and signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from migration_runs.phases import Role
from migration_runs.runbook.difference import Part


@dataclass(frozen=True)
class TargetNow:
    """The target as it is now, or why it cannot be asked. ``schema`` is what a signature would bind; ``rows``
    are the active rows in scope; ``seconds`` what the plan's steps are expected to take.
    """

    asked_at: datetime
    identity: str = ""
    schema: str = ""
    rows: int | None = None
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class PhaseFacts:
    """A phase as a risk: what it locks, how many rows it is about, and the way back."""

    number: int
    title: str
    owner: Role
    planned: timedelta
    lock: str
    steps: int
    way_back: str
    reversible: bool


@dataclass(frozen=True)
class NoUndo:
    """A step that changes something and is not undone, with the reason that the plan gives."""

    place: str
    title: str
    why: str


@dataclass(frozen=True)
class Before:
    """The plan that this one is compared with: of this run, or of the run before with the same runbook."""

    digest: str
    run_name: str
    own: bool
    parts: tuple[Part, ...]
    words: str


@dataclass(frozen=True)
class ReviewView:
    """Everything about a plan that its signer has to know, beside the texts and steps of the plan itself."""

    target: TargetNow | None
    phases: tuple[PhaseFacts, ...]
    no_undo: tuple[NoUndo, ...]
    before: Before | None
