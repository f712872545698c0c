"""Triggers that give way: the application never waits for us, and never fails for our sake."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel, errors

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import drain
from migration_runs.engine.move.names import Direction
from tests.integration import worlds
from tests.integration.sessions import Background, wait_blocked
from tests.integration.worlds import World

GIVES_WAY = (
    "lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation "
    "OR cardinality_violation"
)


def settle(world: World) -> drain.DrainResult:
    with world.runner() as conn:
        return drain.settle(conn, world.job, world.shape())


def test_an_open_chunk_does_not_keep_the_application_waiting(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (1, 1))
    shape = world.switch_on("forward")
    copied = (
        "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
        "SELECT symbol, timeframe, ts, close, 's', '{}' FROM derived"
    )
    with world.app() as app, world.runner() as chunk:
        with chunk.transaction():
            chunk.execute(copied.encode())
            app.execute("UPDATE derived SET close = 2")  # returns while the chunk is open
            assert world.rows("SELECT close FROM derived") == [(2,)]
        assert len(world.unequal(shape)) == 1
        settle(world)
        assert world.unequal(shape) == []

        world.spoil(shape, "forward", "SET lock_timeout TO '50ms'", "SET lock_timeout TO '0'")
        app.execute("DELETE FROM bars")
        with chunk.transaction():
            chunk.execute(copied.encode())
            update = Background(lambda: app.execute("UPDATE derived SET close = 3"))
            wait_blocked(chunk, app.info.backend_pid)
            assert update.running(), "without the short lock timeout it waits for the whole chunk"
        update.result()


@pytest.mark.parametrize("safe", [True, False])
def test_a_chunk_and_a_writer_that_want_each_others_row_do_not_deadlock(
    target: TargetUrls, safe: bool
) -> None:
    """The chunk has the first row and waits for the second; the writer has that, and wants the first."""
    world = worlds.dxy_like(target)
    with world.app() as app:
        for number in (1, 2):
            app.execute(worlds.DXY_INSERT % (number, number))
    shape = world.switch_on("forward")
    if not safe:
        world.spoil(shape, "forward", "SET lock_timeout TO '50ms'", "SET lock_timeout TO '0'")
    update = "UPDATE derived SET close = {} WHERE ts = '2024-01-01 00:0{}Z'"
    with world.app(autocommit=False) as writer, world.app() as watcher, world.runner() as chunk:
        writer.execute(update.format(20, 2).encode())

        def copy() -> None:
            with chunk.transaction():
                chunk.execute("SET LOCAL lock_timeout = 0")  # the copier's own 200 ms would end this sooner
                chunk.execute(
                    "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
                    "SELECT symbol, timeframe, ts, close, 's', '{}' FROM derived ORDER BY ts "
                    "ON CONFLICT (symbol, timeframe, ts) DO NOTHING"
                )

        copying = Background(copy)
        wait_blocked(watcher, chunk.info.backend_pid)
        if not safe:
            crossing = Background(partial(writer.execute, update.format(10, 1).encode()))
            wait_blocked(watcher, writer.info.backend_pid)  # each waits for the other
            assert crossing.running()
            with world.runner() as canceller:
                canceller.execute("SELECT pg_cancel_backend(%s)", (chunk.info.backend_pid,))
            with pytest.raises((errors.QueryCanceled, errors.DeadlockDetected)):
                copying.result()
            crossing.result()
            return
        writer.execute(update.format(10, 1).encode())  # returns though the chunk still waits
        assert copying.running()
        writer.commit()
        copying.result()
    settle(world)
    assert world.rows("SELECT close FROM bars ORDER BY ts") == [(10,), (20,)]
    assert world.unequal(shape) == []


OLD_UPDATE, NEW_UPDATE = "UPDATE derived SET close = %s", "UPDATE bars SET close = %s"
OLD_UPSERT = (
    "INSERT INTO derived (symbol, timeframe, ts, close) VALUES ('DXY', '1m', '2024-01-01 00:01Z', %s) "
    "ON CONFLICT (symbol, timeframe, ts) WHERE deleted_at IS NULL DO UPDATE SET close = excluded.close"
)
NEW_UPSERT = (
    "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
    "VALUES ('DXY', '1m', '2024-01-01 00:01Z', %s, 'synthetic', '{}') "
    "ON CONFLICT (symbol, timeframe, ts) DO UPDATE SET close = excluded.close"
)


def crosswise(world: World, times: int, old_says: str, new_says: str) -> None:
    """Old code holds the source row, new code the target row; then both triggers want the other's."""
    with (
        world.app() as gate,
        world.app() as old,
        world.app() as new,
        world.app() as watcher,
    ):
        for number in range(times):
            gate.execute("SELECT pg_advisory_lock(101)")
            ours = Background(partial(old.execute, old_says.encode(), (number + 10,)))
            wait_blocked(watcher, old.info.backend_pid)
            theirs = Background(partial(new.execute, new_says.encode(), (number + 1000,)))
            wait_blocked(watcher, new.info.backend_pid)
            gate.execute("SELECT pg_advisory_unlock(101)")
            ours.result()
            theirs.result()


@pytest.mark.parametrize(
    ("old_says", "new_says"), [(OLD_UPDATE, NEW_UPDATE), (OLD_UPSERT, NEW_UPSERT)], ids=["update", "upsert"]
)
def test_old_and_new_code_writing_one_key_never_deadlock(
    target: TargetUrls, old_says: str, new_says: str
) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            """CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
               IF pg_trigger_depth() = 1 THEN PERFORM pg_advisory_xact_lock_shared(101); END IF;
               RETURN NULL; END$$;
               CREATE TRIGGER pause AFTER UPDATE ON derived FOR EACH ROW EXECUTE FUNCTION pause();
               CREATE TRIGGER pause AFTER UPDATE ON bars FOR EACH ROW EXECUTE FUNCTION pause()"""
        )
    with world.app() as conn:
        conn.execute(worlds.DXY_INSERT % (1, 1))
    crosswise(world, 30, old_says, new_says)
    settle(world)
    assert world.unequal(shape) == []

    directions: tuple[Direction, ...] = ("forward", "reverse")
    for direction in directions:
        world.spoil(shape, direction, "SET lock_timeout TO '50ms'", "SET lock_timeout TO '0'")
        world.spoil(shape, direction, GIVES_WAY, "raise_exception")
    with pytest.raises(errors.DeadlockDetected):
        crosswise(world, 1, old_says, new_says)


def test_a_repeatable_read_writer_that_sees_two_active_rows_goes_on(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward")

    def write(minute: int) -> None:
        with world.app() as other, world.app(autocommit=False) as reader:
            other.execute(worlds.DXY_INSERT % (minute, 1))
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            reader.execute("SELECT FROM derived")
            other.execute(
                f"UPDATE derived SET deleted_at = now() WHERE ts = '2024-01-01 00:0{minute}Z'".encode()
            )
            reader.execute(worlds.DXY_INSERT % (minute, 2))
            reader.commit()

    write(1)
    settle(world)
    assert world.rows("SELECT close FROM bars") == [(2,)]
    assert world.unequal(shape) == []
    world.spoil(shape, "forward", " OR cardinality_violation", "")
    write(2)
    assert world.listed(shape) == ["source", "source"], "withdrawn; and noted instead of written"
    settle(world)
    world.spoil(shape, "forward", "current_setting('transaction_isolation') <> 'read committed'", "false")
    with pytest.raises(errors.CardinalityViolation):
        write(3)


@pytest.mark.parametrize("safe", [True, False])
def test_a_dead_row_that_a_repeatable_read_writer_still_sees_does_not_come_back(
    target: TargetUrls, safe: bool
) -> None:
    """New code has deleted the row, unheard for now; the writer makes it anew, in front of the dead one."""
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    if not safe:
        world.spoil(shape, "reverse", "current_setting('transaction_isolation') <> 'read committed'", "false")
    with world.app() as app, world.app(autocommit=False) as holder, world.app(autocommit=False) as late:
        app.execute(worlds.DXY_INSERT % (2, 7))
        app.execute(worlds.DXY_INSERT % (1, 1))
        app.execute("DELETE FROM bars WHERE close = 7")
        app.execute("VACUUM bars")  # the next row takes the first one's place, before the one that dies
        settle(world)
        late.isolation_level = IsolationLevel.REPEATABLE_READ
        late.execute("SELECT FROM bars")
        holder.execute("SELECT FROM derived WHERE close = 1 FOR UPDATE")
        app.execute("DELETE FROM bars")  # gives way
        holder.commit()
        late.execute("UPDATE derived SET close = 2 WHERE close = 1")
        late.commit()
    settle(world)
    kept = world.rows("SELECT close FROM derived WHERE deleted_at IS NULL UNION ALL SELECT close FROM bars")
    assert kept == [(2 if safe else 1,)] * 2, "unsafe: a committed write is lost, and both sides are equal"


def test_opposite_key_order_may_fail_one_writer_and_leaves_both_sides_equal(target: TargetUrls) -> None:
    """A deadlock of the application's own making: documented, not prevented."""
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as conn:
        conn.execute(worlds.DXY_INSERT % (1, 1))
        conn.execute(worlds.DXY_INSERT % (2, 2))
    with world.app(autocommit=False) as old, world.app(autocommit=False) as new, world.app() as watcher:
        old.execute("UPDATE derived SET close = 10 WHERE ts = '2024-01-01 00:01Z'")
        new.execute("UPDATE bars SET close = 20 WHERE ts = '2024-01-01 00:02Z'")
        second: Background[Any] = Background(
            lambda: old.execute("UPDATE derived SET close = 11 WHERE ts = '2024-01-01 00:02Z'")
        )
        wait_blocked(watcher, old.info.backend_pid)
        failed = 0
        try:
            new.execute("UPDATE bars SET close = 21 WHERE ts = '2024-01-01 00:01Z'")
            new.commit()
        except errors.DeadlockDetected:
            failed += 1
            new.rollback()
        try:
            second.result()
            old.commit()
        except errors.DeadlockDetected:
            failed += 1
            old.rollback()
        assert failed == 1
    settle(world)
    assert world.unequal(shape) == []


def test_until_a_key_is_drained_the_other_sides_statement_speaks_for_the_whole_row(
    target: TargetUrls,
) -> None:
    """Documented, not prevented: one column of a row that lags carries its other columns along."""
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as app, world.app(autocommit=False) as holder:
        app.execute(worlds.DXY_INSERT % (1, 1))
        holder.execute("SELECT FROM bars FOR UPDATE")
        app.execute("UPDATE derived SET close = 2")  # gives way
        holder.commit()
        app.execute("UPDATE bars SET vol = 9")
    settle(world)
    assert world.rows("SELECT close, vol FROM derived UNION SELECT close, vol FROM bars") == [(1, 9)]
    assert world.unequal(shape) == []
