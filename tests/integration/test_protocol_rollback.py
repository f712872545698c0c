"""A rollback from inside cleanup, against writers of either side in forced order."""

from __future__ import annotations

import itertools

import pytest
from psycopg import errors

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import connection, ledger
from migration_runs.engine.move import copier, retire, rollback, triggers, walk
from tests.integration import jobs, worlds
from tests.integration.moving import SLEEPING, app, moved, ours, rows, wait_for
from tests.integration.sessions import Background
from tests.integration.worlds import World

GATE = """
CREATE FUNCTION public.gate() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    WHILE current_setting('application_name') LIKE 'phasegate/%'
        AND NOT pg_try_advisory_xact_lock_shared(7) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN NEW;
END$$;
CREATE TRIGGER gate BEFORE UPDATE ON public.derived FOR EACH ROW EXECUTE FUNCTION public.gate();
"""
LIVE = (
    "SELECT ts, close FROM derived WHERE symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL "
    "ORDER BY ts"
)
COPIES = "SELECT ts, close FROM bars WHERE symbol = 'DXY' ORDER BY ts"
WAITING = (
    "SELECT FROM pg_stat_activity WHERE application_name LIKE 'phasegate/%' AND wait_event_type = 'Lock'"
)


def in_mid_cleanup(target: TargetUrls) -> World:
    """Six rows, all retired, and cleanup has not ended: forward spares retired rows, reverse makes none."""
    world = jobs.migrating(worlds.dxy_like(target))
    jobs.fill_dxy(world, 6)
    moved(world)
    shape = world.shape()
    with world.runner() as conn:
        with ledger.fenced(conn, world.job):
            triggers.switch(conn, world.job, shape, direction="forward", mode="retire")
            triggers.switch(conn, world.job, shape, direction="reverse", mode="update_only")
        conn.execute(
            f"""WITH retired AS (UPDATE derived SET deleted_at = now()
                 WHERE deleted_at IS NULL AND symbol = 'DXY' AND timeframe = '1m'
                RETURNING symbol, timeframe, ts, id)
                INSERT INTO {shape.gone.as_string()} (k1, k2, k3, p1) SELECT * FROM retired""".encode()
        )
    assert rows(world, LIVE) == []
    return world


@pytest.mark.parametrize("safe", [True, False])
def test_a_write_to_the_target_while_its_row_is_revived_survives(
    target: TargetUrls, safe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement that revives has read the target's old values; its echo must not write them back."""
    world = in_mid_cleanup(target)
    if not safe:
        monkeypatch.setattr(rollback, "ECHO", rollback.ECHO.replace(":unlocked", ""))
    app(world, GATE)
    with world.app() as gate, world.app() as new_code:
        gate.execute("SELECT pg_advisory_lock(7)")
        reviving = Background(lambda: jobs.undo(world.job, 9, "retire"))
        wait_for(world, SLEEPING)
        new_code.execute("UPDATE bars SET close = close + 1000 WHERE symbol = 'DXY'")
        gate.execute("SELECT pg_advisory_unlock(7)")
        reviving.result()
    assert rows(world, LIVE) == rows(world, COPIES)
    kept = [close > 1000 for _, close in rows(world, LIVE)]
    assert kept == [safe] * 6, "unsafe: committed writes are lost, and both sides are equal"


@pytest.mark.parametrize("safe", [True, False])
def test_a_straggler_that_brings_a_key_to_life_while_it_is_revived_does_not_end_the_rollback(
    target: TargetUrls, safe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_mid_cleanup(target)
    monkeypatch.setitem(
        connection.PINNED, "lock_timeout", "20s"
    )  # so that it waits until the straggler commits
    if not safe:
        monkeypatch.setattr(walk, "GIVES_WAY", copier.YIELDS)
    with world.app(autocommit=False) as straggler:
        straggler.execute(
            "INSERT INTO derived (symbol, timeframe, ts, close) "
            "VALUES ('DXY', '1m', '2026-03-02 08:02:00+00', 55)"
        )
        reviving = Background(lambda: jobs.undo(world.job, 9, "retire"))
        wait_for(world, WAITING)
        straggler.commit()
        if not safe:
            with pytest.raises(errors.UniqueViolation):
                reviving.result()
            return
        reviving.result()
    assert rows(world, LIVE) == rows(world, COPIES)
    assert [close for _, close in rows(world, LIVE)] == [100.001, 55, 100.003, 100.004, 100.005, 100.006]


def test_old_code_that_writes_faster_than_copies_are_deleted_does_not_keep_a_rollback_from_ending(
    target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retire, "LAST_ROWS", 2)
    world = jobs.migrating(worlds.orders_like(target), initial_rows=64, min_rows=10, max_rows=64)
    jobs.fill_orders(world, 100)
    jobs.apply(world.job, 4, *jobs.BACKFILL)
    number = itertools.count(1000)

    def write() -> None:
        app(
            world,
            "INSERT INTO shop.old_order (customer, code, amount, placed) "
            f"SELECT {next(number)}, 'c' || n, 1, now() FROM generate_series(1, 9) AS n",
        )

    jobs.undo(world.job, 4, "copy", "forward_on", reporter=jobs.Heard(between=write))
    assert next(number) > 1002
    assert rows(world, "SELECT FROM shop.new_order") == []
    assert ours(world) == []
