"""The ``dual_write`` step: on, proven, and off again."""

from __future__ import annotations

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import catalog, triggers
from migration_runs.engine.move.mirroring import Mode
from migration_runs.engine.move.names import Direction
from migration_runs.engine.steps.base import StepContext
from migration_runs.engine.steps.dual_write import DualWriteKind
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import DualWriteStep
from tests.integration import worlds
from tests.integration.sessions import Quiet
from tests.integration.worlds import World

FORWARD = DualWriteStep(kind="dual_write", key="forward_on", title="Forward on", direction="forward")
REVERSE = DualWriteStep(kind="dual_write", key="reverse_on", title="Reverse on", direction="reverse")


def context(world: World, step: DualWriteStep) -> tuple[DualWriteKind, StepContext]:
    kind = DualWriteKind(world.job.plan, 4, step)
    return kind, StepContext(job=world.job, reporter=Quiet(), step=step, phase=4, connect=world.runner)


def state(world: World) -> dict[Direction, Mode]:
    with world.runner() as conn:
        return triggers.installed(conn, catalog.resolve(conn, world.move, world.job.run_uid))


def fill(world: World) -> None:
    with world.app() as conn:
        if world.move.name == "dxy":
            for minute in range(1, 4):
                conn.execute(worlds.DXY_INSERT % (minute, minute))
        else:
            conn.execute(
                "INSERT INTO shop.old_order VALUES (1, 'a', 1, now(), 'n', '{x}'), "
                "(1, 'b', 2, now(), NULL, NULL)"
            )


@pytest.mark.parametrize("make", [worlds.dxy_like, worlds.orders_like])
def test_a_canary_proves_each_direction_and_leaves_no_trace(make: object, target: TargetUrls) -> None:
    world: World = make(target)  # type: ignore[operator]
    fill(world)
    everything = "SELECT to_jsonb(r)::text FROM {} AS r ORDER BY 1"
    before = world.rows(everything.format(world.move.source))
    kind, ctx = context(world, FORWARD)
    assert kind.apply(ctx).details["canary"] == {
        "arrived": ["correction", "withdrawal", "insertion"],
        "skipped": [],
    }
    assert world.rows(everything.format(world.move.target)) == []
    assert world.rows(everything.format(world.move.source)) == before
    with world.app() as conn:
        conn.execute(
            f"UPDATE {world.move.source} SET {world.move.chunk_column} = {world.move.chunk_column}".encode()
        )
    kind, ctx = context(world, REVERSE)
    assert kind.apply(ctx).details["canary"]["arrived"] == ["correction", "withdrawal", "insertion"]
    assert state(world) == {"forward": "mirror", "reverse": "full"}
    for step in (REVERSE, FORWARD):
        kind, ctx = context(world, step)
        kind.undo(ctx)
    assert state(world) == {}
    assert world.rows("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'phasegate%'") == []
    assert world.rows("SELECT proname FROM pg_proc WHERE pronamespace = 'phasegate'::regnamespace") == []


def test_different_rows_in_the_target_are_refused_before_anything_changes(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    fill(world)
    with world.app() as conn:
        conn.execute(
            "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) VALUES "
            "('DXY', '1m', '2024-01-01 00:01Z', 999, 'synthetic', '{}'), "
            "('EURUSD', '1m', now(), 1, 'massive', '{}')"
        )
    kind, ctx = context(world, FORWARD)
    with pytest.raises(StepFailed, match=r"holds 1 row\(s\).*DXY, 1m, 2024-01-01 00:01:00\+00"):
        kind.apply(ctx)
    assert state(world) == {}
