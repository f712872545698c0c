"""The plan: a runbook frozen for one run, validated, immutable, named by its digest.

Everything that a worker may execute is in here, SQL texts included; workers read nothing else.
The classes are the schema of ``runbook.toml`` (``runbook/loader.py`` turns files into them) and of
the plan's stored JSON. The digest is a SHA-256 over canonical JSON: it changes with meaning, not
with the order of keys in a file or the way a page shows it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import Field

from migration_runs.phases import BY_KEY, Phase, Role
from migration_runs.runbook.base import Frozen, SqlFile
from migration_runs.runbook.data_rules import Rule
from migration_runs.runbook.monitoring import Check, Window
from migration_runs.runbook.move import Move
from migration_runs.runbook.steps import Step, StepBase
from migration_runs.runbook.texts import CriticalQuery, ReadinessItem, Texts


class PhasePlan(Frozen):
    """One phase of the plan: who signs it, how long it should take, and its steps in order."""

    key: str
    owner: Role
    sign_off: tuple[Role, ...] = Field(min_length=1)
    minutes: float = Field(gt=0)
    summary: str
    success: tuple[str, ...] = ()
    steps: tuple[Step, ...] = Field(min_length=1)

    @property
    def phase(self) -> Phase:
        """The fixed phase that this fills."""
        return BY_KEY[self.key]

    @property
    def number(self) -> int:
        """1 to 9."""
        return self.phase.number


class Runbook(Frozen):
    """A whole runbook, as loaded from its folder.

    ``clock`` is a query that returns the target's market time as one timestamptz; ``tables`` and
    ``functions`` are all that its SQL may name. ``retention_days`` is how long a completed run can
    still be rolled back before it may be sealed.
    """

    slug: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    title: str
    summary: str
    tables: tuple[str, ...]
    functions: tuple[str, ...] = ()
    approvals: tuple[Role, ...] = Field(min_length=1)
    retention_days: float = 14.0
    clock: SqlFile | None = None
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    move: Move
    window: Window = Field(default_factory=Window)
    checks: tuple[Check, ...] = ()
    rules: tuple[Rule, ...] = ()
    queries: tuple[CriticalQuery, ...] = ()
    readiness: tuple[ReadinessItem, ...] = ()
    texts: Texts = Field(default_factory=Texts)
    phases: tuple[PhasePlan, ...] = Field(min_length=9, max_length=9)

    def phase(self, number: int) -> PhasePlan:
        """The plan of phase ``number`` (1 to 9)."""
        return self.phases[number - 1]

    def check(self, key: str) -> Check:
        """The declared check with this key. Raises KeyError."""
        for check in self.checks:
            if check.key == key:
                return check
        raise KeyError(key)


class Plan(Frozen):
    """A runbook and the parameters of one run. Stored once, never changed.

    ``clock_speed`` is the speed of the target's market clock that was approved: 1 in production.
    """

    format: Literal[1] = 1
    runbook: Runbook
    target: str
    data_decision: Literal["keep", "delete"]
    clock_speed: float = Field(default=1.0, ge=1.0)
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)

    def canonical(self) -> str:
        """The plan as canonical JSON: sorted keys, no blanks, UTF-8."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`canonical`, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def step(self, phase_number: int, key: str) -> StepBase:
        """The step ``key`` of a phase. Raises KeyError."""
        for step in self.runbook.phase(phase_number).steps:
            if step.key == key:
                return step
        raise KeyError(key)

    @classmethod
    def from_json(cls, body: Any) -> Plan:
        """The plan stored as ``body`` (parsed JSON). Raises pydantic.ValidationError if it is not one."""
        return cls.model_validate(body)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal text. Raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
