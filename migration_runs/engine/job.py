"""What the engine is given: a frozen description of the work, and a reporter to talk to.

The engine knows SQL and PostgreSQL and no Django model. Whoever calls it (the worker's tasks, a
test, a benchmark) builds a ``Job`` and a ``Reporter``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from migration_runs.engine.outcome import CopyFigures
from migration_runs.runbook.plan import Plan
from migration_runs.states import StepState

Level = Literal["info", "warn", "error"]


@dataclass(frozen=True, repr=False)
class Job:
    """Work on one phase of one run, by one worker, under one fencing token.

    ``target_url`` and ``scratch_url`` hold secrets, hence no repr. ``token`` is the run's fencing
    token: every transaction on the target proves it first. ``attempt`` counts from 1; above 1 the
    work may have been begun before.
    """

    run_uid: uuid.UUID
    run_name: str
    plan: Plan
    phase: int
    token: int
    worker: str
    attempt: int
    target_url: str
    scratch_url: str | None
    backup_dir: Path
    pg_bin_dir: Path | None
    switched_at: datetime | None = None  # market time at which the observed switch was proven


@dataclass(frozen=True)
class Confirmation:
    """A person's word that something was done, with its evidence."""

    person: str
    evidence: str
    at: datetime


class Reporter(Protocol):
    """How the engine tells what happens, and asks whether to go on. Calls are cheap and safe to repeat."""

    def log(self, level: Level, message: str, *, step: str | None = None) -> None:
        """One line for people."""

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        """A step has reached a state; ``result`` is JSON with ``summary`` and ``rows``."""

    def progress(
        self,
        key: str,
        done: int,
        total: int,
        *,
        unit: str,
        note: str = "",
        waited_s: float = 0.0,
        figures: CopyFigures | None = None,
    ) -> None:
        """How far a step is. ``note`` is the live reason for slowness, empty at full speed.

        ``waited_s``: for how many seconds that reason has held. ``figures`` are a copy's own.
        """

    def stop_requested(self) -> bool:
        """Whether a person asked for a pause or a hold. Asked between chunks and steps."""

    def beat(self) -> None:
        """Renew the lease. Raises LeaseLost when another worker has taken over."""

    def confirmation(self, step: str, *, undo: bool = False) -> Confirmation | None:
        """The person's confirmation of a ``confirm`` step, when given."""

    def window_whole(self) -> bool:
        """Whether the monitoring window is whole: decided by the control side from its due checks."""

    def adjusted(self) -> Mapping[str, float]:
        """Values of the copy's settings that people have changed during the run, by name. At most seconds
        old.
        """

    def pause(self, reason: str) -> None:
        """Ask for a pause of the phase because the target suffers; ``stop_requested`` is true soon after.

        Safe to repeat. A person resumes.
        """

    def start_chunk_workers(self, count: int) -> None:
        """Ask for ``count`` more workers on this phase's chunks. They may come late or never."""
