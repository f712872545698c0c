"""THE nine phases of a run, at a glance.

The order is the order of execution and cannot be changed by a runbook: a runbook fills phases
with steps, it does not add, drop or reorder them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Role(StrEnum):
    """The six roles of a run. Each is a Django group of the same name."""

    APPROVER = "approver"
    DBA = "dba"
    ENGINEER = "engineer"
    DEVOPS = "devops"
    ONCALL = "oncall"
    AUDITOR = "auditor"


@dataclass(frozen=True)
class Phase:
    """One of the nine phases: its place, its owner and what it is for."""

    number: int
    key: str
    owner: Role
    planned: timedelta
    slot_start: timedelta
    slot_end: timedelta
    purpose: str
    start_sign_off: tuple[Role, ...] = ()
    step_up_to_start: bool = False

    @property
    def title(self) -> str:
        """The key as people read it, for example ``schema validation``."""
        return self.key.replace("_", " ")


MONITORING, CLEANUP = 8, 9
"""The phases whose numbers rules ask for."""


def _minutes(value: float) -> timedelta:
    return timedelta(minutes=value)


def _hours(value: float) -> timedelta:
    return timedelta(hours=value)


PHASES: tuple[Phase, ...] = (
    Phase(
        1, "preflight", Role.DBA, _minutes(15), _hours(0), _hours(0.25),
        "connectivity, privileges, settings; a backup proven readable; counts before",
    ),
    Phase(
        2, "schema_validation", Role.DBA, _minutes(10), _hours(0.25), _hours(5 / 12),
        "assertions on columns, constraints and the mandatory unique index; repairs only where one fails",
    ),
    Phase(
        3, "create_function", Role.DBA, _minutes(15), _hours(5 / 12), _hours(2 / 3),
        "new SQL functions, tested on a small window; before-images of everything replaced",
    ),
    Phase(
        4, "backfill", Role.DBA, _minutes(20), _hours(2 / 3), _hours(1),
        "dual-write on, history copied in chunks, source and target compared",
    ),
    Phase(
        5, "code_switch", Role.ENGINEER, _minutes(30), _hours(1), _hours(2),
        "new read and write paths: functions, metadata, and code changed elsewhere, each with evidence",
    ),
    Phase(
        6, "health_checks", Role.ENGINEER, _minutes(20), _hours(2), _hours(2.5),
        "exactly the runbook's few health checks, no test suite",
    ),
    Phase(
        7, "deploy", Role.DEVOPS, _minutes(30), _hours(2.5), _hours(3),
        "confirmation with evidence, restart, then the switch observed by the database itself",
        step_up_to_start=True,
    ),
    Phase(
        8, "monitoring", Role.ONCALL, _hours(24), _hours(3), _hours(27),
        "hourly checks for a full day; a missed one is a failure",
    ),
    Phase(
        9, "cleanup", Role.DBA, _minutes(10), _hours(27), _hours(28),
        "retire exactly the migrated source rows, dual-write off, orphan check",
        start_sign_off=(Role.APPROVER,), step_up_to_start=True,
    ),
)  # fmt: skip

BY_KEY: dict[str, Phase] = {phase.key: phase for phase in PHASES}


def by_number(number: int) -> Phase:
    """The phase with this number (1 to 9). Raises KeyError for any other number."""
    if not 1 <= number <= len(PHASES):
        raise KeyError(number)
    return PHASES[number - 1]
