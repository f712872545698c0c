"""``observe``: the database's own statistics prove that callers moved from the old functions to the new.

PostgreSQL counts calls per function (``track_functions``). A session hands its counts over at the end of a
transaction, at most once a second, and an idle one within 10 s; one that ends hands over what is left. So a
quiet time is proof only together with the callers: where ``old_callers`` are declared, none of them may be
connected. Readings are kept in the ledger, so that any worker can go on observing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migration_runs.engine import clock, ledger, statements
from migration_runs.engine.outcome import StepPreview, StepResult, Waiting
from migration_runs.engine.steps.base import StepContext, StepKind, UndoPreview
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import ObserveStep

REAL_FLOOR_S = 2.0
LOOK_AGAIN_S = 5.0


@dataclass(frozen=True)
class Direction:
    """Which functions must stand still and which must grow: as declared, or swapped when undone."""

    still: tuple[str, ...]
    growing: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """Calls per function at one moment, on both clocks."""

    calls: dict[str, int]
    real_at: datetime
    market_at: datetime

    def as_json(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "calls": self.calls,
            "real_at": self.real_at.isoformat(),
            "market_at": self.market_at.isoformat(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> Reading | None:
        """From the ledger; None where nothing was kept."""
        if not value:
            return None
        return cls(
            calls={name: int(count) for name, count in value["calls"].items()},
            real_at=datetime.fromisoformat(value["real_at"]),
            market_at=datetime.fromisoformat(value["market_at"]),
        )


class ObserveKind(StepKind[ObserveStep]):
    """Waits until old calls stood still, and new ones grew, for the quiet time; undone the other way."""

    kind = "observe"

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """Which functions, for how long, and who calls now."""
        step = self.step
        summary = (
            f"for {step.quiet_s:g} s of the market's clock: no call of {_names(step.old_functions)}, "
            f"calls of {_names(step.new_functions)}"
        )
        if conn is not None and step.old_callers:
            callers = _callers(conn, step.old_callers)
            summary += f"; old callers connected now: {', '.join(callers) or 'none'}"
        return StepPreview(
            summary=summary,
            locks="none",
            seconds=max(step.quiet_s / self.plan.clock_speed, REAL_FLOOR_S),
            undo="the same observation with old and new swapped",
        )

    def apply(self, ctx: StepContext) -> StepResult:
        """Look; done when proven, else a wait that names what is still to be seen."""
        step = self.step
        return self._look(
            ctx, Direction(_plain(step.old_functions), _plain(step.new_functions), step.old_callers)
        )

    def undo(self, ctx: StepContext) -> StepResult:
        """Prove that the old functions are called again and the new ones stand still."""
        step = self.step
        swapped = Direction(_plain(step.new_functions), _plain(step.old_functions), step.new_callers)
        return self._look(ctx, swapped, undo=True)

    def preview_undo(
        self, conn: psycopg.Connection[Any], run_uid: uuid.UUID, details: dict[str, Any]
    ) -> UndoPreview | None:
        """A wait for the statistics."""
        step = self.step
        return UndoPreview(
            action=f"waits until {_names(step.new_functions)} stand still and {_names(step.old_functions)} "
            "are called",
            seconds=max(step.quiet_s / self.plan.clock_speed, REAL_FLOOR_S),
        )

    def _look(self, ctx: StepContext, direction: Direction, *, undo: bool = False) -> StepResult:
        slot = "undo_baseline" if undo else "baseline"
        baseline = Reading.from_json(ctx.details.get(slot))
        with ctx.connect() as conn:
            now = self._read(conn, direction)
            callers = _callers(conn, direction.gone)
            moved = [
                name for name in direction.still if baseline and now.calls[name] != baseline.calls.get(name)
            ]
            if baseline is None or callers or moved or _was_reset(baseline, now):
                baseline = now
                with ledger.fenced(conn, ctx.job):
                    mark = ledger.mark_undoing if undo else ledger.mark_intent
                    details = {**ctx.details, slot: now.as_json()}
                    mark(conn, ctx.job, phase=ctx.phase, step_key=self.step.key, details=details)
        missing = [name for name in direction.growing if now.calls[name] <= baseline.calls.get(name, 0)]
        left = self._left(baseline, now)
        if not callers and not missing and left <= 0:
            grown = {name: now.calls[name] - baseline.calls[name] for name in direction.growing}
            return StepResult(
                summary=f"{_names(direction.still)} stood still for {self.step.quiet_s:g} s while "
                + ", ".join(f"{name} was called {count} times" for name, count in grown.items()),
                details={"switched_at": now.market_at.isoformat(), "calls": now.calls, "grown": grown},
            )
        text = _why(callers, moved, missing, left)
        return StepResult(
            summary=text,
            waiting=Waiting(
                step=self.step.key,
                kind="observation",
                text=text,
                look_again_s=min(max(left, 0.5), LOOK_AGAIN_S),
            ),
        )

    def _left(self, baseline: Reading, now: Reading) -> float:
        """Real seconds until the quiet time is over on both clocks."""
        market = self.step.quiet_s - (now.market_at - baseline.market_at).total_seconds()
        real = REAL_FLOOR_S - (now.real_at - baseline.real_at).total_seconds()
        return max(market / self.plan.clock_speed, real)

    def _read(self, conn: psycopg.Connection[Any], direction: Direction) -> Reading:
        """A fresh reading. Raises StepFailed where calls are not counted or a function is missing."""
        with conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute("SELECT current_setting('track_functions') AS tracked, clock_timestamp() AS at")
            settings = cursor.fetchone()
            assert settings is not None
            if settings["tracked"] != "all":
                raise StepFailed(
                    "the target does not count the calls of every function "
                    f"(track_functions = {settings['tracked']}), so a switch cannot be observed",
                    next_step="set track_functions = all on the target",
                )
            names = [*direction.still, *direction.growing]
            cursor.execute(statements.load("function_calls"), {"names": names})
            rows = cursor.fetchall()
        absent = [row["name"] for row in rows if row["name"] in direction.growing and not row["present"]]
        if absent:
            raise StepFailed(f"there is no function {_names(absent)}, so nobody can call it")
        return Reading(
            calls={row["name"]: row["calls"] for row in rows},
            real_at=settings["at"],
            market_at=clock.market_now(conn, self.plan),
        )


def _plain(functions: tuple[str, ...]) -> tuple[str, ...]:
    """Names without argument types: statistics of all functions of a name are added up."""
    return tuple(name.partition("(")[0].strip() for name in functions)


def _was_reset(baseline: Reading, now: Reading) -> bool:
    return any(now.calls.get(name, 0) < count for name, count in baseline.calls.items())


def _callers(conn: psycopg.Connection[Any], patterns: tuple[str, ...]) -> list[str]:
    """Sessions that match, as ``name (user, pid)``."""
    if not patterns:
        return []
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("callers"), {"patterns": list(patterns)})
        return [f"{row['application_name']} ({row['usename']}, pid {row['pid']})" for row in cursor]


def _why(callers: list[str], moved: list[str], missing: list[str], left: float) -> str:
    parts = []
    if callers:
        parts.append(f"still connected: {', '.join(callers)}")
    if moved:
        parts.append(f"called again just now: {_names(moved)}")
    if missing:
        parts.append(f"not called yet: {_names(missing)}")
    if left > 0:
        parts.append(f"{left:.0f} s of quiet to go")
    return "; ".join(parts)


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) or "nothing"
