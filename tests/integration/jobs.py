"""A whole move over a small world, for tests of the engine: its plan, and a reporter that remembers.

No control database, no broker: a phase is what its step kinds do, called in order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from migration_runs.engine import connection, ledger
from migration_runs.engine.job import Confirmation, Job, Level
from migration_runs.engine.move import copy_plan
from migration_runs.engine.outcome import CopyFigures, StepResult
from migration_runs.engine.steps.base import StepContext
from migration_runs.engine.steps.registry import kind_of
from migration_runs.runbook.copying import CopySettings
from migration_runs.states import StepState
from tests import plans
from tests.integration.worlds import World

SMALL_CHUNKS = {"initial_rows": 100, "min_rows": 10, "max_rows": 100}
BACKFILL = ("forward_on", "copy", "settle", "verify")

DXY_ROWS = """
INSERT INTO public.derived (symbol, timeframe, ts, close, vol, quality, deleted_at)
SELECT 'DXY', '1m', timestamptz '2026-03-02 08:00:00+00' + n * interval '1 minute', 100 + n / 1000.0, n, 2,
       CASE WHEN mod(n, 50) = 7 THEN now() END
  FROM generate_series(%s::int, %s::int) AS n
"""
DXY_NEIGHBOURS = """
INSERT INTO public.derived (symbol, timeframe, ts, close)
VALUES ('EURUSD', '1m', '2026-03-02 08:00:00+00', 1.05), ('DXY', '5m', '2026-03-02 08:00:00+00', 100);
INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw)
VALUES ('EURUSD', '1m', '2026-03-02 08:00:00+00', 1.05, 'feed', '{}');
"""
ORDER_ROWS = """
INSERT INTO shop.old_order (customer, code, amount, placed, note, tags)
SELECT n / 10, 'c' || mod(n, 10), n * 1.01, timestamptz '2026-03-02 08:00:00+00' + n * interval '1 second',
       nullif('note ' || mod(n, 3), 'note 0'), CASE WHEN mod(n, 4) = 0 THEN ARRAY['a', NULL, 'b"c'] END
  FROM generate_series(%s::int, %s::int) AS n
"""


def migrating(world: World, *, data_decision: Literal["keep", "delete"] = "delete", **copying: Any) -> World:
    """The world with a plan that fills phases 4, 5 and 9: dual-write, copy, verification, cleanup."""
    move = world.move.model_copy(update={"copying": CopySettings(**copying)} if copying else {})
    retire = "delete" if move.active is None else "soft_delete"
    filled = plans.plan({
        4: [
            _step("forward_on", "dual_write", direction="forward"),
            _step("copy", "copy", part="chunks"),
            _step("settle", "copy", part="settle"),
            _step("verify", "verify"),
        ],
        5: [_step("reverse_on", "dual_write", direction="reverse")],
        9: [_step("retire", retire)],
    })  # fmt: skip
    runbook = filled.runbook.model_copy(update={"move": move, "tables": (move.source, move.target)})
    plan = filled.model_copy(update={"runbook": runbook, "data_decision": data_decision})
    return replace(world, move=move, job=replace(world.job, plan=plan))


def copying(world: World, **settings: Any) -> World:
    """The world with forward on and its ranges planned, under these settings; chunks of up to 100 rows."""
    made = migrating(world, **SMALL_CHUNKS | settings)
    apply(made.job, 4, "forward_on")
    with made.runner() as conn:
        copy_plan.plan_ranges(conn, made.job, made.shape())
    return made


def fill_dxy(world: World, rows: int) -> None:
    """``rows`` minutes of DXY from 2026-03-02 08:01, closes 100.001, 100.002 ..., one in fifty withdrawn.

    Beside them, on both sides, rows that the move is not about.
    """
    with world.app() as conn:
        conn.execute(DXY_ROWS, (1, rows))
        conn.execute(DXY_NEIGHBOURS.encode())


def fill_orders(world: World, rows: int) -> None:
    """``rows`` orders, ten of a customer, some without note or tags."""
    with world.app() as conn:
        conn.execute(ORDER_ROWS, (1, rows))


def _step(key: str, kind: str, **more: str) -> dict[str, str]:
    return {"key": key, "title": key, "kind": kind, "undo_none": "the kind undoes itself", **more}


@dataclass
class Heard:
    """A Reporter that remembers. ``between`` is called at every beat: what happens between two chunks."""

    between: Callable[[], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    logs: list[tuple[str, str]] = field(default_factory=list)
    progresses: list[tuple[int, int, str]] = field(default_factory=list)
    changed: dict[str, float] = field(default_factory=dict)
    pauses: list[str] = field(default_factory=list)
    waits: list[tuple[str, float]] = field(default_factory=list)
    wanted_workers: int = 0

    def log(self, level: Level, message: str, *, step: str | None = None) -> None:
        self.logs.append((level, message))

    def step(
        self, key: str, state: StepState, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        self.logs.append(("info", f"{key} {state}"))

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
        self.progresses.append((done, total, note))
        if note:
            self.waits.append((note, waited_s))

    def stop_requested(self) -> bool:
        return self.stop.is_set()

    def beat(self) -> None:
        if self.between is not None:
            self.between()

    def confirmation(self, step: str, *, undo: bool = False) -> Confirmation | None:
        return None

    def window_whole(self) -> bool:
        return False

    def adjusted(self) -> Mapping[str, float]:
        return self.changed

    def pause(self, reason: str) -> None:
        self.pauses.append(reason)
        self.stop.set()

    def start_chunk_workers(self, count: int) -> None:
        self.wanted_workers += count


def apply(job: Job, phase: int, *keys: str, reporter: Heard | None = None) -> StepResult:
    """Apply these steps of a phase in order, as the runner does; the last one's result."""
    return _each(job, phase, keys, reporter, undo=False)


def undo(job: Job, phase: int, *keys: str, reporter: Heard | None = None) -> StepResult:
    """Undo these steps of a phase in the order given; the last one's result."""
    return _each(job, phase, keys, reporter, undo=True)


def _each(job: Job, phase: int, keys: tuple[str, ...], reporter: Heard | None, *, undo: bool) -> StepResult:
    job = replace(job, phase=phase)
    result = StepResult(summary="nothing")
    for key in keys:
        step = next(one for one in job.plan.runbook.phase(phase).steps if one.key == key)
        with connection.connect_job(job) as conn:
            known = ledger.step(conn, job.run_uid, phase, key)
            with ledger.fenced(conn, job):
                mark = ledger.mark_undoing if undo else ledger.mark_intent
                mark(conn, job, phase=phase, step_key=key)
        ctx = StepContext(
            job=job,
            reporter=reporter or Heard(),
            step=step,
            phase=phase,
            connect=lambda: connection.connect_job(job),
            begun=known is not None,
            applied=known is not None and known.state == "applied",
            details=known.details if known else {},
        )
        kind = kind_of(job.plan, phase, step)
        result = kind.undo(ctx) if undo else kind.apply(ctx)
        assert result.waiting is None, result.waiting
        with connection.connect_job(job) as conn, ledger.fenced(conn, job):
            finish = ledger.mark_undone if undo else ledger.mark_applied
            finish(conn, job, phase=phase, step_key=key, details=result.details)
    return result
