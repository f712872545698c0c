"""What triggers do while the source is retired, and when a rollback brings its rows back."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import IsolationLevel

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import ledger
from migration_runs.engine.move import drain, triggers
from migration_runs.engine.move.mirroring import Mode
from migration_runs.engine.move.names import Direction, Shape
from tests.integration import worlds
from tests.integration.worlds import World


def change_mode(world: World, shape: Shape, direction: Direction, mode: Mode) -> None:
    with world.runner() as conn, ledger.fenced(conn, world.job):
        triggers.switch(conn, world.job, shape, direction=direction, mode=mode)


def retire(world: World, shape: Shape, where: str = "true") -> None:
    """What cleanup's statement does: withdraw and write down, at once."""
    gone = shape.gone.as_string()
    if world.move.name == "dxy":
        query = f"""WITH r AS (UPDATE derived SET deleted_at = now() WHERE deleted_at IS NULL AND {where}
                    RETURNING symbol, timeframe, ts, id)
                    INSERT INTO {gone} (k1, k2, k3, p1) SELECT * FROM r"""
    else:
        query = f"""WITH r AS (DELETE FROM shop.old_order AS o WHERE {where}
                    RETURNING customer, code, to_jsonb(o))
                    INSERT INTO {gone} (k1, k2, p1, p2, image)
                    SELECT customer, code, customer, code, to_jsonb FROM r"""
    with world.runner() as conn:
        conn.execute(query.encode())


def settle(world: World) -> None:
    with world.runner() as conn:
        assert drain.settle(conn, world.job, world.shape()).stuck == ()


def ready(target: TargetUrls) -> tuple[World, Shape]:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (1, 1))
        app.execute(worlds.DXY_INSERT % (2, 2))
        app.execute("UPDATE derived SET quality = 1")
    return world, shape


BARS = "SELECT close FROM bars ORDER BY ts"


@pytest.mark.parametrize("safe", [True, False])
def test_retiring_source_rows_does_not_empty_the_target(target: TargetUrls, safe: bool) -> None:
    world, shape = ready(target)
    if safe:
        change_mode(world, shape, "forward", "retire")
        change_mode(world, shape, "reverse", "update_only")
    retire(world, shape)
    settle(world)
    assert world.rows(BARS) == ([(1,), (2,)] if safe else [])


def test_retiring_by_deletion_does_not_empty_the_target(target: TargetUrls) -> None:
    world = worlds.orders_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as app:
        app.execute("INSERT INTO shop.old_order VALUES (1, 'a', 1, now()), (1, 'b', 2, now())")
    change_mode(world, shape, "forward", "retire")
    change_mode(world, shape, "reverse", "update_only")
    retire(world, shape)
    settle(world)
    assert world.rows("SELECT count(*) FROM shop.new_order") == [(2,)]
    assert world.rows("SELECT count(*) FROM shop.old_order") == [(0,)]


def test_during_cleanup_new_code_writes_on_and_nothing_comes_into_being_in_the_source(
    target: TargetUrls,
) -> None:
    world, shape = ready(target)
    change_mode(world, shape, "forward", "retire")
    change_mode(world, shape, "reverse", "update_only")
    retire(world, shape, "close = 1")
    active = "SELECT close FROM derived WHERE deleted_at IS NULL ORDER BY ts"
    with world.app() as app:
        app.execute("UPDATE bars SET close = close + 10")
        app.execute(
            "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
            "VALUES ('DXY', '1m', '2024-01-01 00:03Z', 3, 'synthetic', '{}')"
        )
        settle(world)
        assert world.rows(BARS) == [(11,), (12,), (3,)]
        assert world.rows(active) == [(12,)]
        app.execute("DELETE FROM bars WHERE close = 12")
        assert world.rows(active) == []


def test_an_insert_of_new_code_during_cleanup_is_not_taken_for_a_ghost(target: TargetUrls) -> None:
    """An old entry with side source is on the list: it must not have the last word over the new row."""
    world, shape = ready(target)
    change_mode(world, shape, "forward", "retire")
    with world.app() as app:
        app.execute("UPDATE derived SET deleted_at = now() WHERE close = 1")  # old code; on the list
        change_mode(world, shape, "reverse", "update_only")
        insert = (
            "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
            "VALUES ('DXY', '1m', '2024-01-01 00:01Z', 9, 'synthetic', '{}')"
        )
        app.execute(insert)
        settle(world)
        assert world.rows(BARS) == [(9,), (2,)]
        app.execute("DELETE FROM bars WHERE close = 9")
        app.execute("UPDATE derived SET version = 2 WHERE close = 2")
        world.clear_list(shape)
        app.execute("UPDATE derived SET deleted_at = now() WHERE close = 2")
        world.spoil(
            shape, "reverse", 'NOT echo AND "keys_3" IS NOT NULL', 'NOT echo AND "olds_3" IS NOT NULL'
        )
        app.execute(insert.replace("00:01", "00:02"))
        settle(world)
        assert world.rows(BARS) == [], "noting only what lived before loses it"


def test_a_straggler_that_withdraws_its_row_again_is_heard(target: TargetUrls) -> None:
    world, shape = ready(target)
    change_mode(world, shape, "forward", "retire")
    change_mode(world, shape, "reverse", "update_only")
    retire(world, shape)
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (1, 5))
        assert world.rows(BARS) == [(5,), (2,)]
        app.execute("UPDATE derived SET deleted_at = now() WHERE close = 5")
        settle(world)
    assert world.rows(BARS) == [(2,)]


@pytest.mark.parametrize("safe", [True, False])
def test_a_straggler_whose_snapshot_is_older_than_the_retirement_is_heard(
    target: TargetUrls, safe: bool
) -> None:
    """It brings a key back and cannot see the entry that it should forget; what comes later still counts."""
    world, shape = ready(target)
    change_mode(world, shape, "forward", "retire")
    change_mode(world, shape, "reverse", "update_only")
    if not safe:  # by its key alone the new row is taken for the retired one
        world.spoil(shape, "forward", ' AND "g"."p1" = "r"."id"', "", every=True)
    with world.app(autocommit=False) as late, world.app() as app:
        late.isolation_level = IsolationLevel.REPEATABLE_READ
        late.execute("SELECT FROM bars")
        retire(world, shape)
        late.execute(worlds.DXY_INSERT % (1, 5))
        late.commit()
        settle(world)
        assert world.rows(BARS) == [(5,), (2,)]
        app.execute("UPDATE derived SET deleted_at = now() WHERE close = 5")
        settle(world)
    assert world.rows(BARS) == ([(2,)] if safe else [(5,), (2,)])


def test_where_rows_are_deleted_such_a_straggler_leaves_its_row_in_the_target(target: TargetUrls) -> None:
    """Documented, not prevented: the row that comes back has the identity of the one that was retired."""
    world = worlds.orders_like(target)
    shape = world.switch_on("forward", "reverse")
    insert = "INSERT INTO shop.old_order VALUES (1, 'a', {}, now())"
    with world.app() as app, world.app(autocommit=False) as late:
        app.execute(insert.format(1).encode())
        change_mode(world, shape, "forward", "retire")
        change_mode(world, shape, "reverse", "update_only")
        late.isolation_level = IsolationLevel.REPEATABLE_READ
        late.execute("SELECT FROM shop.new_order")
        retire(world, shape)
        late.execute(insert.format(5).encode())
        late.commit()
        app.execute("DELETE FROM shop.old_order")
        settle(world)
    assert world.rows("SELECT amount::int FROM shop.new_order") == [(1,)]


def test_a_rollback_revives_this_runs_rows_with_their_identity_and_no_others(target: TargetUrls) -> None:
    world, shape = ready(target)
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (3, 3))
        app.execute("UPDATE derived SET deleted_at = now() WHERE close = 3")  # withdrawn long before
    before = world.rows("SELECT id, close, quality FROM derived WHERE deleted_at IS NULL ORDER BY ts")
    change_mode(world, shape, "forward", "retire")
    change_mode(world, shape, "reverse", "update_only")
    retire(world, shape)
    change_mode(world, shape, "reverse", "revive")
    with world.app() as app:
        app.execute("UPDATE bars SET close = close + 10")
    after = world.rows("SELECT id, close, quality FROM derived WHERE deleted_at IS NULL ORDER BY ts")
    assert after == [(number, close + 10, quality) for number, close, quality in before]
    assert world.unequal(shape) == []
    assert world.rows("SELECT count(*) FROM derived") == [(3,)]
    with world.runner() as conn:
        left: Any = conn.execute(f"SELECT count(*) FROM {shape.gone.as_string()}".encode()).fetchone()
    assert left == (0,)


def test_a_rollback_reinserts_deleted_rows_from_their_images(target: TargetUrls) -> None:
    world = worlds.orders_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as app:
        app.execute("INSERT INTO shop.old_order VALUES (1, 'a', 1, now(), 'kept', '{x}')")
        change_mode(world, shape, "forward", "retire")
        retire(world, shape)
        change_mode(world, shape, "reverse", "revive")
        app.execute("UPDATE shop.new_order SET amount = 7")
    assert world.rows("SELECT amount::int, note, tags FROM shop.old_order") == [(7, "kept", ["x"])]
    assert world.unequal(shape) == []
