"""Phases of small plans carried out by the engine alone: a reporter that remembers, a job, what stays."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.job import Confirmation, Job, Level
from migration_runs.engine.outcome import CopyFigures, Outcome
from migration_runs.runbook.plan import Plan
from migration_runs.states import StepState
from tests import plans


@dataclass
class Memory:
    """A Reporter for tests: keeps what it is told, answers as set up. ``on_step`` runs at every state."""

    stop: bool = False
    whole: bool = False
    confirmations: dict[tuple[str, bool], str] = field(default_factory=dict)
    states: dict[str, StepState] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    order: list[tuple[str, StepState]] = field(default_factory=list)
    on_step: Callable[[str, StepState], None] | None = None
    on_beat: Callable[[], None] | None = None
    workers: int = 0

    def log(self, level: Level, message: str, *, step: str | None = None) -> None:
        self.logs.append(f"{level}: {message}")

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        self.states[key] = state
        self.order.append((key, state))
        if result is not None:
            self.results[key] = result
        if error is not None:
            self.errors[key] = error
        if self.on_step is not None:
            self.on_step(key, state)

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
        self.notes.append(note)

    def stop_requested(self) -> bool:
        return self.stop

    def beat(self) -> None:
        if self.on_beat is not None:
            self.on_beat()

    def confirmation(self, step: str, *, undo: bool = False) -> Confirmation | None:
        evidence = self.confirmations.get((step, undo))
        if evidence is None:
            return None
        return Confirmation(person="erin", evidence=evidence, at=datetime.now(UTC))

    def window_whole(self) -> bool:
        return self.whole

    def adjusted(self) -> Mapping[str, float]:
        return {}

    def pause(self, reason: str) -> None:
        self.stop = True

    def start_chunk_workers(self, count: int) -> None:
        self.workers += count


def job(
    plan: Plan,
    target: TargetUrls,
    *,
    phase: int = 3,
    token: int = 1,
    scratch: TargetUrls | None = None,
    backup_dir: Path = Path("/nonexistent"),
    pg_bin_dir: Path | None = None,
) -> Job:
    """Work on one phase, as the runner's role."""
    return Job(
        run_uid=uuid.uuid4(),
        run_name="small-1",
        plan=plan,
        phase=phase,
        token=token,
        worker="w1",
        attempt=1,
        target_url=target.runner_url,
        scratch_url=scratch.runner_url if scratch else None,
        backup_dir=backup_dir,
        pg_bin_dir=pg_bin_dir,
    )


def again(before: Job, *, token: int | None = None, phase: int | None = None) -> Job:
    """The same run's next worker."""
    return dataclasses.replace(
        before,
        token=before.token + 1 if token is None else token,
        phase=phase or before.phase,
        attempt=before.attempt + 1,
        worker="w2",
    )


def run(plan: Plan, target: TargetUrls, *, phase: int = 3) -> tuple[Job, Memory, Outcome]:
    """One worker's try at a phase."""
    work, memory = job(plan, target, phase=phase), Memory()
    return work, memory, runner.run_phase(work, memory)


def make_tables(target: TargetUrls, *, rows: int = 0) -> None:
    """The small plans' tables, owned by the tables' owner."""
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("SET search_path = public")
        conn.execute(plans.TABLES)
        conn.execute(
            "INSERT INTO old_things SELECT n, 'body ' || n FROM generate_series(1, %s::int) AS n", [rows]
        )


def one(target: TargetUrls, query: str, parameters: Any = None) -> Any:
    """The first value of a query, as the tables' owner."""
    with psycopg.connect(target.owner_url) as conn:
        row = conn.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


def execute(target: TargetUrls, statement: str) -> None:
    """A statement by the tables' owner, committed."""
    with psycopg.connect(target.owner_url) as conn:
        conn.execute(statement.encode())
