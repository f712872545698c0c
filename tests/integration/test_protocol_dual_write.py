"""The ``dual_write`` step: on, proven, and off again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import ledger
from migration_runs.engine.move import catalog, run_tables, triggers
from migration_runs.engine.move.mirroring import Mode
from migration_runs.engine.move.names import Direction
from migration_runs.engine.steps.base import StepContext
from migration_runs.engine.steps.dual_write import DualWriteKind
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import DualWriteStep
from tests.integration import worlds
from tests.integration.sessions import Background, Quiet, wait_blocked
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


def test_undoing_forward_before_any_copy_follows_the_data_decision(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    plan = world.job.plan.model_copy(update={"data_decision": "delete"})
    world = replace(world, job=replace(world.job, plan=plan))
    kind, ctx = context(world, FORWARD)
    kind.apply(ctx)
    fill(world)
    assert world.rows("SELECT count(*) FROM bars") == [(3,)]
    kind.undo(ctx)
    assert world.rows("SELECT count(*) FROM bars") == [(0,)]
    assert world.rows("SELECT count(*) FROM derived") == [(3,)]
    assert state(world) == {}
    kind.undo(ctx)


# -- no statement slips through while triggers are put on


def test_going_on_waits_for_open_writers_and_misses_none_that_come_after(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.shape()
    insert = "INSERT INTO derived (symbol, timeframe, ts, close) VALUES ('DXY', '1m', %s, 1)"
    with (
        world.app(autocommit=False) as open_writer,
        world.app(autocommit=False) as old_snapshot,
        world.app() as with_plan,
        world.app() as queued,
        world.app() as watcher,
        world.runner() as runner,
    ):
        for minute in range(10, 20):
            with_plan.execute(insert, (f"2024-01-01 00:{minute}Z",), prepare=True)
        old_snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old_snapshot.execute("SELECT FROM derived")
        open_writer.execute(insert, ("2024-01-01 00:01Z",))
        with ledger.fenced(runner, world.job):
            run_tables.create(runner, shape)
        going_on = Background(
            partial(
                triggers.install, runner, world.job, shape, direction="forward", mode="mirror", lock_ms=10_000
            )
        )
        wait_blocked(watcher, runner.info.backend_pid)
        behind = Background(partial(queued.execute, insert, ("2024-01-01 00:02Z",)))
        wait_blocked(watcher, queued.info.backend_pid)
        open_writer.commit()
        going_on.result()
        behind.result()
        with_plan.execute(insert, ("2024-01-01 00:03Z",), prepare=True)
        old_snapshot.execute(insert, ("2024-01-01 00:04Z",))
        old_snapshot.commit()
        open_writer.execute(insert, ("2024-01-01 00:05Z",))
        open_writer.commit()
    assert world.rows("SELECT to_char(ts, 'MI') FROM bars ORDER BY 1") == [("02",), ("03",), ("04",), ("05",)]


def test_a_lock_that_is_held_is_asked_for_again(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.shape()
    with world.app(autocommit=False) as writer, world.runner() as runner, world.app() as other:
        writer.execute(worlds.DXY_INSERT % (1, 1))
        with ledger.fenced(runner, world.job):
            run_tables.create(runner, shape)
        going_on = Background(
            partial(
                triggers.install, runner, world.job, shape, direction="forward", mode="mirror", lock_ms=20
            )
        )
        other.execute(worlds.DXY_INSERT % (2, 2))  # waits 20 ms at the most behind the lock that is asked for
        assert going_on.running()
        writer.commit()
        going_on.result()
    assert state(world) == {"forward": "mirror"}


def test_a_key_that_withdrawn_rows_hold_too_is_proven_like_any_other(target: TargetUrls) -> None:
    """A unique index without a condition: the withdrawn canary is in the way of the inserted one."""
    world = worlds.dxy_like(target)
    fill(world)
    with world.app() as conn:
        conn.execute(
            "DROP INDEX derived_active_key; "
            "CREATE UNIQUE INDEX derived_key ON derived (symbol, timeframe, ts)"
        )
    kind, ctx = context(world, FORWARD)
    assert kind.apply(ctx).details["canary"]["arrived"] == ["correction", "withdrawal", "insertion"]
    with world.app() as conn:
        conn.execute("UPDATE derived SET close = close + 1")
    kind, ctx = context(world, REVERSE)
    assert kind.apply(ctx).details["canary"]["arrived"] == ["correction", "withdrawal", "insertion"]
    assert world.rows("SELECT count(*) FROM derived WHERE deleted_at IS NULL") == [(3,)]
