"""Where a runbook uses which SQL file, and what for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from migration_runs.runbook.base import SqlFile
from migration_runs.runbook.plan import Runbook
from migration_runs.runbook.steps import AssertStep, SnapshotStep, SqlStep, StepBase
from migration_runs.runbook.toml_lines import Path

Purpose = Literal[
    "clock",
    "load",
    "check",
    "rule",
    "query",
    "assert",
    "repair",
    "repair_check",
    "snapshot",
    "execute",
    "undo",
]

READING: frozenset[Purpose] = frozenset(
    {"clock", "load", "check", "rule", "query", "assert", "repair_check", "snapshot"}
)
"""Purposes for which a file is one query that changes nothing."""


@dataclass(frozen=True)
class Use:
    """One use of a file: by which step of which phase (None for checks and the clock), at which place of the
    TOML.
    """

    file: SqlFile
    purpose: Purpose
    place: Path
    phase: int | None = None
    step: StepBase | None = None


def of(runbook: Runbook) -> Iterator[Use]:
    """Every use, in the order of the runbook: clock, load query, checks, rules, critical queries, the steps
    of each phase.
    """
    if runbook.clock is not None:
        yield Use(runbook.clock, "clock", ("clock",))
    load = runbook.move.copying.load_sql
    if load is not None:
        yield Use(load, "load", ("move", "copying", "load_sql"))
    for number, check in enumerate(runbook.checks):
        for key, file in (("sql", check.sql), ("closed_sql", check.closed_sql)):
            if file is not None:
                yield Use(file, "check", ("checks", number, key))
    for number, rule in enumerate(runbook.rules):
        yield Use(rule.sql, "rule", ("rules", number, "sql"))
    for number, query in enumerate(runbook.queries):
        yield Use(query.sql, "query", ("queries", number, "sql"))
    for number, phase in enumerate(runbook.phases):
        for position, step in enumerate(phase.steps):
            place: Path = ("phases", number, "steps", position)
            for key, purpose, file in _files(step):
                yield Use(file, purpose, (*place, key), phase.number, step)


def _files(step: StepBase) -> Iterator[tuple[str, Purpose, SqlFile]]:
    if isinstance(step, SqlStep):
        yield "sql", "execute", step.sql
    elif isinstance(step, SnapshotStep):
        yield "sql", "snapshot", step.sql
    elif isinstance(step, AssertStep):
        yield "sql", "assert", step.sql
        if step.repair_check is not None:
            yield "repair_check", "repair_check", step.repair_check
        if step.repair is not None:
            yield "repair", "repair", step.repair
    if step.undo is not None:
        yield "undo", "undo", step.undo
