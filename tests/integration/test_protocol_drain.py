"""The touched list and its drain, against a second session in forced order."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import ledger, timeouts
from migration_runs.engine.move import drain, existing, run_tables, triggers
from migration_runs.engine.move.names import Shape
from migration_runs.engine.steps import dual_write
from tests.integration import worlds
from tests.integration.sessions import Background, Quiet, wait_blocked
from tests.integration.worlds import World

KEY: drain.Key = ("DXY", "1m", "2024-01-01 00:01:00+00")
Conn = psycopg.Connection[Any]


def settle(world: World) -> drain.DrainResult:
    with world.runner() as conn:
        return drain.settle(conn, world.job, world.shape())


def test_a_key_that_had_to_give_way_is_settled_later(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    world.switch_on("forward", "reverse")
    with world.app() as old, world.app(autocommit=False) as holder:
        old.execute(worlds.DXY_INSERT % (1, 1))
        holder.execute("SELECT FROM bars FOR UPDATE")
        old.execute("UPDATE derived SET close = 2")
        holder.commit()
        assert world.rows("SELECT close FROM bars") == [(1,)]
        result = settle(world)
        assert world.rows("SELECT close FROM bars") == [(2,)]
        assert (result.drained, result.left, result.stuck) == (1, 0, ())


# -- a chunk that is open


def copy_open(world: World, conn: Conn) -> None:
    """What a chunk does before it commits."""
    ledger.hold_copy_lock(conn, world.job.run_uid)
    conn.execute(
        "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
        "SELECT symbol, timeframe, ts, close, 'synthetic', '{}' FROM derived WHERE deleted_at IS NULL"
    )


@pytest.mark.parametrize("safe", [True, False])
def test_nothing_is_drained_while_a_chunk_is_open(target: TargetUrls, safe: bool) -> None:
    world = worlds.dxy_like(target)
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (1, 1))
    shape = world.switch_on("forward")
    with world.app() as app, world.runner() as chunk, world.runner() as drainer:
        with chunk.transaction():
            copy_open(world, chunk)
            app.execute("UPDATE derived SET deleted_at = now()")
            if safe:
                result = drain.settle(drainer, world.job, shape)
                assert (result.busy, result.drained, result.left) == (True, 0, 1)
            else:
                with ledger.fenced(drainer, world.job):
                    drain.apply(drainer, shape, [KEY])
        settle(world)
        assert world.listed(shape) == []
        assert len(world.unequal(shape)) == (0 if safe else 1), "unsafe: a ghost that no list knows"


# -- the drain against writers of the target


def prepared(target: TargetUrls) -> tuple[World, Shape]:
    """A key that is on the list with side source, equal on both sides (value 1)."""
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (1, 1))
        app.execute("UPDATE derived SET close = close")
    assert world.listed(shape) == ["source"]
    return world, shape


@pytest.mark.parametrize("safe", [True, False])
def test_a_write_to_the_target_during_the_drain_survives(target: TargetUrls, safe: bool) -> None:
    """A drain that locks nothing reads the old value, waits for the writer, and writes it over."""
    world, shape = prepared(target)
    with world.app(autocommit=False) as writer, world.runner() as drainer, world.app() as watcher:

        def work() -> None:
            with ledger.fenced(drainer, world.job):
                timeouts.local(drainer, lock_ms=20_000, statement_s=30)
                if safe:
                    drain.apply(drainer, shape, [KEY])
                    return
                sides, ids = drain.read(drainer, shape, [KEY])
                drain.make_equal(drainer, shape, sides)
                drain.forget(drainer, shape, ids)

        writer.execute("UPDATE bars SET close = 9")
        draining = Background(work)
        wait_blocked(watcher, drainer.info.backend_pid)
        writer.commit()
        draining.result()
    settle(world)
    assert world.unequal(shape) == []
    kept = 9 if safe else 1
    assert world.rows("SELECT close FROM bars") == [(kept,)], "a write lost, both sides equal"


@pytest.mark.parametrize("safe", [True, False])
def test_the_list_is_read_when_both_rows_are_locked(target: TargetUrls, safe: bool) -> None:
    """The writer's trigger gives way to the drain, and lists the key after the drain has read the list."""
    world, shape = prepared(target)
    with world.app() as writer, world.runner() as drainer, ledger.fenced(drainer, world.job):
        if not safe:
            sides, ids = drain.read(drainer, shape, [KEY])
        drain.lock_rows(drainer, shape, "source", [KEY])
        writer.execute("UPDATE bars SET close = 9")
        drain.lock_rows(drainer, shape, "target", [KEY])
        if safe:
            sides, ids = drain.read(drainer, shape, [KEY])
        drain.make_equal(drainer, shape, sides)
        if safe:
            assert not drain.newer(drainer, shape, [KEY], ids)
        drain.forget(drainer, shape, ids)
    settle(world)
    assert world.unequal(shape) == []
    assert world.rows("SELECT close FROM derived") == [(9 if safe else 1,)]


@pytest.mark.parametrize("safe", [True, False])
def test_an_entry_that_comes_in_meanwhile_stops_the_batch(target: TargetUrls, safe: bool) -> None:
    """The source row does not exist, so locking locks nothing: old code inserts it under the drain's eyes."""
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (1, 1))
    with world.app() as app, world.app(autocommit=False) as holder:
        holder.execute("SELECT FROM derived FOR UPDATE")
        app.execute("UPDATE bars SET close = 5")  # gives way: on the list with side target
        holder.commit()
        app.execute("ALTER TABLE derived DISABLE TRIGGER USER")
        app.execute("DELETE FROM derived")
        app.execute("ALTER TABLE derived ENABLE TRIGGER USER")
        for event in triggers.EVENTS:
            name = shape.trigger_name(f"forward_{event.lower()}")
            app.execute(f'ALTER TABLE derived ENABLE ALWAYS TRIGGER "{name}"'.encode())
    assert world.listed(shape)[-1] == "target"
    again = False
    with world.app() as app, world.runner() as drainer, ledger.fenced(drainer, world.job):
        drain.lock_rows(drainer, shape, "source", [KEY])
        drain.lock_rows(drainer, shape, "target", [KEY])
        sides, ids = drain.read(drainer, shape, [KEY])
        app.execute(worlds.DXY_INSERT % (1, 7))  # its trigger gives way: side source, highest
        drain.make_equal(drainer, shape, sides)
        again = drain.newer(drainer, shape, [KEY], ids)
        if safe and again:
            raise psycopg.Rollback
        drain.forget(drainer, shape, ids)
    assert again
    settle(world)
    assert world.unequal(shape) == []
    assert world.rows("SELECT close FROM derived WHERE deleted_at IS NULL") == [(7 if safe else 5,)]


@pytest.mark.parametrize("safe", [True, False])
def test_a_late_drain_does_not_take_an_echo_for_a_write(target: TargetUrls, safe: bool) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    if not safe:  # echoes are noted like writes of the table's own
        world.spoil(shape, "reverse", "echo := true;", "")
        world.spoil(shape, "reverse", "origin := split_part(told, ':', 1);", "")
    with world.app() as app, world.app(autocommit=False) as holder:
        app.execute(worlds.DXY_INSERT % (1, 1))
        holder.execute("SELECT FROM bars FOR UPDATE")
        app.execute("UPDATE derived SET deleted_at = now()")  # gives way: a ghost stays in the target
        holder.commit()
    with world.app(autocommit=False) as inserter, world.runner() as drainer:
        with ledger.fenced(drainer, world.job):
            drain.lock_rows(drainer, shape, "source", [KEY])
            drain.lock_rows(drainer, shape, "target", [KEY])
            sides, ids = drain.read(drainer, shape, [KEY])
            inserter.execute(worlds.DXY_INSERT % (1, 2))  # gives way to the drain, noted, not committed
            drain.make_equal(drainer, shape, sides)  # removes the ghost; reverse hears of it
            drain.forget(drainer, shape, ids)
        inserter.commit()
    settle(world)
    living = world.rows("SELECT close FROM derived WHERE deleted_at IS NULL")
    assert living == ([(2,)] if safe else []), "unsafe: the live row is withdrawn"
    assert world.unequal(shape) == []


# -- before and after


def test_rows_that_were_wrong_or_extra_in_the_target_become_what_the_source_says(target: TargetUrls) -> None:
    world = worlds.dxy_like(target).with_move(on_different="overwrite")
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (1, 1))
        app.execute(
            "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) VALUES "
            "('DXY', '1m', '2024-01-01 00:01Z', 999, 'other', '{}'), "
            "('DXY', '1m', '2024-01-01 00:05Z', 5, 'x', '{}'), "
            "('EURUSD', '1m', '2024-01-01 00:05Z', 5, 'x', '{}')"
        )
    shape = world.shape()
    with world.runner() as conn:
        assert existing.refuse_different(conn, shape) == 2
        with ledger.fenced(conn, world.job):
            run_tables.create(conn, shape)
        assert existing.remember(conn, world.job, shape) == 2
        triggers.install(conn, world.job, shape, direction="forward", mode="mirror", lock_ms=200)
        assert existing.touch(conn, world.job, shape) == 2
    settle(world)
    assert world.unequal(shape) == []
    assert world.rows("SELECT symbol, close FROM bars ORDER BY 2") == [("DXY", 1), ("EURUSD", 5)]
    with world.runner() as conn:
        kept = conn.execute(f"SELECT image ->> 'close' FROM {shape.before.as_string()} ORDER BY 1".encode())
        assert kept.fetchall() == [("5",), ("999",)]


def test_row_written_into_the_target_as_dual_write_goes_on_is_not_removed_unseen(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.shape()
    with world.runner() as conn, world.app() as app:
        with ledger.fenced(conn, world.job):
            run_tables.create(conn, shape)
        existing.remember(conn, world.job, shape)
        app.execute(
            "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) VALUES "
            "('DXY', '1m', '2024-01-01 00:05Z', 5, 'x', '{}')"
        )
        triggers.install(conn, world.job, shape, direction="forward", mode="mirror", lock_ms=200)
        assert existing.touch(conn, world.job, shape) == 0
    settle(world)
    assert world.rows("SELECT close FROM bars") == [(5,)]
    assert world.unequal(shape) != []  # which the comparison of phase 4 names


@pytest.mark.parametrize("safe", [True, False])
def test_a_late_write_is_not_stranded_when_dual_write_goes_off(target: TargetUrls, safe: bool) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward")
    with (
        world.app() as app,
        world.app(autocommit=False) as holder,
        world.app(autocommit=False) as late,
        world.runner() as runner,
        world.app() as watcher,
    ):
        app.execute(worlds.DXY_INSERT % (1, 1))
        holder.execute("SELECT FROM bars FOR UPDATE")
        late.execute("UPDATE derived SET close = 2")  # gives way, and is not committed
        holder.commit()

        def off() -> None:
            if safe:
                dual_write.take_off(
                    runner, world.job, shape, direction="forward", lock_ms=5_000, reporter=Quiet()
                )
                return
            drain.settle(runner, world.job, shape)
            with ledger.fenced(runner, world.job):
                timeouts.local(runner, lock_ms=20_000, statement_s=30)
                triggers.drop(runner, world.job, shape, direction="forward")

        going = Background(off)
        wait_blocked(watcher, runner.info.backend_pid)
        late.commit()
        going.result()
    assert triggers_on(world) == []
    assert len(world.unequal(shape)) == (0 if safe else 1)


def triggers_on(world: World) -> list[tuple[Any, ...]]:
    return world.rows("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'phasegate%'")
