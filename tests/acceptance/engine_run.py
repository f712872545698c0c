"""A whole run carried out by the engine alone: phase after phase, without a control database or a broker."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.job import Job
from migration_runs.engine.move import drain
from migration_runs.engine.outcome import Outcome
from migration_runs.runbook.plan import Plan
from tests.integration.stepping import Memory

LOOKS = 240
LOOK_S = 0.25


@dataclass
class EngineRun:
    """One run. ``play`` carries out a phase and ``undo`` takes one back; both wait as the panel would."""

    plan: Plan
    target: TargetUrls
    scratch: TargetUrls
    backup_dir: Path
    pg_bin_dir: Path
    uid: uuid.UUID = field(default_factory=uuid.uuid4)
    memory: Memory = field(default_factory=Memory)
    token: int = 0
    switched_at: datetime | None = None

    def __post_init__(self) -> None:
        self.memory.whole = True
        for phase in self.plan.runbook.phases:
            for step in phase.steps:
                if step.key in _confirmed(self.plan):
                    self.memory.confirmations[step.key, False] = "build 42"
                    self.memory.confirmations[step.key, True] = "build 41"

    def job(self, phase: int, *, claims: bool = False) -> Job:
        """A job of the next worker, who claims the phase, or of one that works under the last claim."""
        self.token += claims
        return Job(
            run_uid=self.uid,
            run_name=f"{self.plan.runbook.slug}-1",
            plan=self.plan,
            phase=phase,
            token=self.token,
            worker=f"w{self.token}",
            attempt=1,
            target_url=self.target.runner_url,
            scratch_url=self.scratch.runner_url,
            backup_dir=self.backup_dir,
            pg_bin_dir=self.pg_bin_dir,
            switched_at=self.switched_at,
        )

    def play(self, *phases: int) -> None:
        """Carry out these phases; each must finish."""
        for phase in phases:
            outcome = self.attempt(phase)
            assert outcome.status == "finished", (
                f"phase {phase}: {outcome.step}: {outcome.error or outcome.waiting}"
            )

    def attempt(self, phase: int) -> Outcome:
        """Carry out one phase until it no longer waits."""
        return self._wait(lambda: runner.run_phase(self.job(phase, claims=True), self.memory))

    def undo(self, *phases: int) -> None:
        """Take these phases back; each must finish."""
        for phase in phases:
            outcome = self._wait(lambda: runner.undo_phase(self.job(phase, claims=True), self.memory))  # noqa: B023 - used at once
            assert outcome.status == "finished", (
                f"undoing {phase}: {outcome.step}: {outcome.error or outcome.waiting}"
            )

    def drain(self) -> None:
        """Drain touched keys once, as the panel's own task does."""
        drain.drain(self.job(8), self.memory)

    def query(self, text: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Rows of a query, as a superuser."""
        with psycopg.connect(self.target.dsn) as conn:
            return conn.execute(text.encode(), parameters).fetchall()

    def value(self, text: str, parameters: Any = None) -> Any:
        """The first value of a query."""
        return self.query(text, parameters)[0][0]

    def _wait(self, look: Any) -> Outcome:
        for _ in range(LOOKS):
            outcome: Outcome = look()
            if outcome.status != "waiting":
                return outcome
            time.sleep(LOOK_S)
        return outcome


def _confirmed(plan: Plan) -> set[str]:
    return {
        step.key
        for phase in plan.runbook.phases
        for step in phase.steps
        if getattr(step, "kind", "") == "confirm"
    }
