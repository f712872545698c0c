"""How history is copied: chunk size, workers, what the copy waits for, and what a live run may change.

A number that people may adjust while the run lasts is written ``{ value = 40, min = 10, max = 80 }``. The
bounds are part of the plan and of its digest: they are signed, and whoever adjusts stays inside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from migration_runs.runbook.base import Frozen, SqlFile
from migration_runs.runbook.monitoring import Session

Number = int | float

UNITS: dict[str, str] = {
    "target_ms": "ms",
    "live_target_ms": "ms",
    "workers": "workers",
    "max_replication_lag_s": "s",
    "max_slot_mb": "MB",
    "max_lock_waiters": "sessions",
    "max_active_sessions": "sessions",
    "max_wal_mb_s": "MB/s",
    "max_load": "",
    "critical_replication_lag_s": "s",
    "critical_lock_waiters": "sessions",
    "critical_active_sessions": "sessions",
    "critical_load": "",
}
"""Every value that a runbook may make adjustable, with its unit for people."""

MEANS: dict[str, str] = {
    "target_ms": "A chunk should take",
    "live_target_ms": "Beside live writes a chunk should take",
    "workers": "Workers at once",
    "max_replication_lag_s": "Waits while a standby is further behind than",
    "max_slot_mb": "Waits while a slot holds back more WAL than",
    "max_lock_waiters": "Waits while more sessions wait for locks than",
    "max_active_sessions": "Waits while more sessions are active than",
    "max_wal_mb_s": "Writes no more WAL than",
    "max_load": "Waits while the runbook's load query gives more than",
    "critical_replication_lag_s": "Holds the run above a standby's lag of",
    "critical_lock_waiters": "Holds the run above sessions waiting for locks of",
    "critical_active_sessions": "Holds the run above active sessions of",
    "critical_load": "Holds the run above a load of",
}
"""What each value does, as words in front of it."""

WHOLE = frozenset({
    "target_ms", "live_target_ms", "workers", "max_lock_waiters", "max_active_sessions",
    "critical_lock_waiters", "critical_active_sessions",
})  # fmt: skip
"""Those that count something."""

LEAST: dict[str, Number] = {"target_ms": 1, "live_target_ms": 1, "workers": 1, "max_wal_mb_s": 0.001}
"""Below these a value would stop the copy for good; every other may be 0."""


WAITS_AND_HOLDS = tuple(
    (f"max_{load}", f"critical_{load}")
    for load in ("replication_lag_s", "lock_waiters", "active_sessions", "load")
)
"""Pairs of the limit at which the copy waits, and the one at which it holds the run."""


class Bounds(Frozen):
    """Between which values a person may move a number during the run; both ends are allowed."""

    min: float
    max: float


class BusyHours(Session):
    """Weekly hours in which the copy gives way to people, on the wall clock of ``time_zone``.

    Real time, by the target server's clock: load comes from people at work, not from the market clock of a
    rehearsal. ``pace`` is the part of the time in which the copy works: 0 waits until the hours are over,
    0.25 rests three times as long as each chunk took.
    """

    time_zone: str = "UTC"
    pace: float = Field(default=0.0, ge=0.0, lt=1.0)


class CopySettings(Frozen):
    """How fast history is copied, and at what load of the target it waits (``max_…``) or pauses
    (``critical_…``).

    A chunk should take ``target_ms``, and no more than ``live_target_ms`` while an application changes rows
    of the move. A limit that is None is not looked at. ``load_sql`` is a query of the runbook's own: one row,
    one number, named ``load_title`` for people and judged by ``max_load`` and ``critical_load``.
    ``adjustable`` holds the bounds of values written as ``{ value, min, max }``.
    """

    initial_rows: int = Field(default=5_000, ge=1)
    min_rows: int = Field(default=100, ge=1)
    max_rows: int = Field(default=200_000, ge=1)
    target_ms: int = 500
    live_target_ms: int = 50
    workers: int = 1
    max_replication_lag_s: float = 5.0
    max_slot_mb: float = 10_240.0
    max_lock_waiters: int = 1
    max_active_sessions: int = 100
    max_wal_mb_s: float | None = None
    max_load: float | None = None
    critical_replication_lag_s: float | None = None
    critical_lock_waiters: int | None = None
    critical_active_sessions: int | None = None
    critical_load: float | None = None
    load_sql: SqlFile | None = None
    load_title: str = "the load query"
    busy_hours: tuple[BusyHours, ...] = ()
    adjustable: dict[str, Bounds] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _take_bounds_out(cls, data: Any) -> Any:
        """``name = { value, min, max }`` becomes the value, and its bounds under ``adjustable``."""
        if not isinstance(data, Mapping):
            return data
        plain: dict[str, Any] = dict(data)
        bounds: dict[str, Any] = dict(plain.pop("adjustable", {}))
        for name, given in data.items():
            if name == "adjustable" or not isinstance(given, Mapping) or name == "load_sql":
                continue
            if name not in UNITS:
                raise ValueError(f"{name} is fixed: it is one number, without min and max")
            if set(given) != {"value", "min", "max"}:
                raise ValueError(f"{name} is a number, or {{ value = ..., min = ..., max = ... }}")
            plain[name] = given["value"]
            bounds[name] = {"min": given["min"], "max": given["max"]}
        return {**plain, "adjustable": bounds}

    @property
    def most_workers(self) -> int:
        """How many workers the copy may have at any time of the run."""
        bounds = self.adjustable.get("workers")
        return max(self.workers, int(bounds.max)) if bounds else self.workers

    def value(self, name: str) -> Number | None:
        """The value of one of ``UNITS``. Raises KeyError for any other name."""
        if name not in UNITS:
            raise KeyError(name)
        found: Number | None = getattr(self, name)
        return found

    @property
    def upside_down(self) -> tuple[tuple[str, str], ...]:
        """Of ``WAITS_AND_HOLDS`` those that would hold the run before the copy waits."""
        return tuple(
            (limit, critical)
            for limit, critical in WAITS_AND_HOLDS
            if (waits := self.value(limit)) is not None
            and (holds := self.value(critical)) is not None
            and holds < waits
        )

    def allows(self, name: str, value: Number) -> bool:
        """Whether a live run may have ``value`` there: inside the signed bounds, and whole where it
        counts.
        """
        bounds = self.adjustable.get(name)
        if bounds is None or not bounds.min <= value <= bounds.max:
            return False
        return name not in WHOLE or float(value).is_integer()

    def adjusted(self, values: Mapping[str, Number]) -> CopySettings:
        """These settings with ``values`` in place; one that the signed bounds do not allow is left out."""
        taken = {
            name: int(value) if name in WHOLE else float(value)
            for name, value in values.items()
            if self.allows(name, value)
        }
        return self.model_copy(update=taken) if taken else self
