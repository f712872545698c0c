"""The sync triggers, alone and against a second session in forced order."""

from __future__ import annotations

from typing import Any

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import ledger
from migration_runs.engine.move import run_tables, triggers
from migration_runs.engine.move.mirroring import Mode
from migration_runs.engine.move.names import Direction, Shape
from tests.integration import worlds
from tests.integration.worlds import World


def switch_on(world: World, *directions: Direction, modes: dict[str, Mode] | None = None) -> Shape:
    shape = world.shape()
    chosen: dict[str, Mode] = {"forward": "mirror", "reverse": "full", **(modes or {})}
    with world.runner() as conn:
        with ledger.fenced(conn, world.job):
            run_tables.create(conn, shape)
        for direction in directions:
            triggers.install(conn, world.job, shape, direction=direction, mode=chosen[direction], lock_ms=200)
    return shape


def rows(world: World, query: str) -> list[tuple[Any, ...]]:
    with world.app() as conn:
        return conn.execute(query.encode()).fetchall()


BARS = "SELECT ts::text, close, vol, source, raw - 'created_at' FROM bars ORDER BY ts"
INSERT = "INSERT INTO derived (symbol, timeframe, ts, close) VALUES ('DXY', '1m', '2024-01-01 00:0%d Z', %s)"


def test_insert_correction_and_withdrawal_arrive(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    switch_on(world, "forward")
    with world.app() as conn:
        conn.execute(INSERT % (1, 101.5))
        conn.execute(INSERT % (2, 102))
        conn.execute("INSERT INTO derived (symbol, timeframe, ts, close) VALUES ('DXY', '5m', now(), 1)")
        raw: dict[str, Any] = {"kind": "dxy", "quality": None, "version": 1, "extra": {}}
        assert rows(world, BARS) == [
            ("2024-01-01 00:01:00+00", 101.5, None, "synthetic", raw),
            ("2024-01-01 00:02:00+00", 102, None, "synthetic", raw),
        ]
        conn.execute("UPDATE derived SET close = close + 1, quality = 2 WHERE timeframe = '1m'")
        assert [row[1] for row in rows(world, BARS)] == [102.5, 103]
        conn.execute("UPDATE derived SET deleted_at = now() WHERE close = 103")
        assert [row[1] for row in rows(world, BARS)] == [102.5]
        conn.execute("DELETE FROM derived")
        assert rows(world, BARS) == []


def test_new_code_reaches_the_old_table(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    switch_on(world, "forward", "reverse")
    with world.app() as conn:
        conn.execute(
            "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
            "VALUES ('DXY', '1m', '2024-01-01Z', 7, 'synthetic', %s)",
            ('{"kind": "dxy", "extra": {"a": 1}}',),
        )
        old = "SELECT close, quality, version, extra, deleted_at IS NULL FROM derived ORDER BY id"
        assert rows(world, old) == [(7, 2, 1, {"a": 1}, True)]
        assert rows(world, "SELECT raw ->> 'quality', raw ? 'created_at' FROM bars") == [("2", True)]
        conn.execute("UPDATE bars SET close = 8")
        assert rows(world, old) == [(8, 2, 1, {"a": 1}, True)]
        conn.execute("DELETE FROM bars")
        assert rows(world, old) == [(8, 2, 1, {"a": 1}, False)]
        conn.execute(INSERT % (1, 5))
        assert rows(world, "SELECT close FROM bars") == [(5,)]


def test_both_directions_of_the_other_shape(target: TargetUrls) -> None:
    world = worlds.orders_like(target)
    switch_on(world, "forward", "reverse")
    old, new = (
        "SELECT * FROM shop.old_order",
        "SELECT client, code, amount, channel, more FROM shop.new_order",
    )
    with world.app() as conn:
        conn.execute("INSERT INTO shop.old_order VALUES (1, 'a', 1.50, '2024-01-01Z', NULL, '{x,\"y z\"}')")
        assert [tuple(map(str, row)) for row in rows(world, new)] == [
            ("1", "a", "1.50", "legacy", "{'note': None, 'tags': ['x', 'y z']}")
        ]
        conn.execute("UPDATE shop.new_order SET amount = 2, more = jsonb_set(more, '{note}', '\"hi\"')")
        assert [(str(row[2]), row[4], row[5]) for row in rows(world, old)] == [("2.00", "hi", ["x", "y z"])]
        conn.execute("UPDATE shop.new_order SET code = 'b'")
        assert [row[1] for row in rows(world, old)] == ["b"]
        conn.execute("DELETE FROM shop.new_order")
        assert rows(world, old) == []
