"""Statements of many rows, and what the trigger functions hold of them: sets of keys, and plans."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from tests.integration import worlds
from tests.integration.worlds import World

MANY = (
    "INSERT INTO derived (symbol, timeframe, ts, close) "
    "SELECT 'DXY', '1m', '2024-01-01Z'::timestamptz + n * interval '1 minute', n "
    "FROM generate_series(%s::int, %s::int, %s::int) n"
)
ORDERS = (
    "INSERT INTO shop.old_order SELECT n / 10, 'c' || n, n, '2024-01-01Z', NULL, NULL "
    "FROM generate_series(%s::int, %s::int, %s::int) n"
)
OLD_ROWS = {
    "dxy": "SELECT ts, close FROM derived WHERE deleted_at IS NULL ORDER BY ts",
    "orders": "SELECT customer, code, amount FROM shop.old_order ORDER BY 1, 2",
}
NEW_ROWS = {
    "dxy": "SELECT ts, close FROM bars ORDER BY ts",
    "orders": "SELECT client, code, amount FROM shop.new_order ORDER BY 1, 2",
}
MOVES = {
    # backwards, so that no key is in the way of the next; one row leaves, since it is withdrawn
    "dxy": "UPDATE derived SET ts = ts + interval '2 minutes', close = close * 2, "
    "deleted_at = CASE WHEN close = 4 THEN now() END",
    "orders": "UPDATE shop.old_order SET code = 'c' || amount + 2, amount = amount * 2",
}


@pytest.mark.parametrize("make", [worlds.dxy_like, worlds.orders_like])
def test_an_update_that_moves_keys_takes_the_old_ones_away(
    make: Callable[[TargetUrls], World], target: TargetUrls
) -> None:
    world = make(target)
    shape = world.switch_on("forward")
    name = world.move.name
    with world.app() as conn:
        conn.execute((MANY if name == "dxy" else ORDERS).encode(), (9, 1, -1))
        conn.execute(MOVES[name].encode())
    found = world.rows(NEW_ROWS[name])
    assert len(found) == (8 if name == "dxy" else 9)
    assert found == world.rows(OLD_ROWS[name])
    assert world.unequal(shape) == []
    assert world.listed(shape) == ["source"] * 9, "the keys that lived before, and no others"


@pytest.mark.parametrize("make", [worlds.dxy_like, worlds.orders_like])
def test_an_insert_that_meets_rows_in_the_target_writes_over_them(
    make: Callable[[TargetUrls], World], target: TargetUrls
) -> None:
    """The rows of an INSERT are taken for new ones first; one that is there must not put them off."""
    world = make(target)
    shape = world.switch_on("forward")
    name = world.move.name
    there = {
        "dxy": "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
        "VALUES ('DXY', '1m', '2024-01-01 00:0%dZ', 7, 'wrong', '{}')",
        "orders": "INSERT INTO shop.new_order VALUES (0, 'c%d', 7, now(), 'wrong', NULL)",
    }[name]
    text = (MANY if name == "dxy" else ORDERS).encode()
    with world.app() as conn:
        conn.execute((there % 2).encode())
        conn.execute(text, (1, 3, 1))
        assert world.unequal(shape) == []
        assert world.listed(shape) == []
        world.spoil(shape, "forward", "IF careful OR", "IF true OR")
        conn.execute((there % 5).encode())
        conn.execute(text, (4, 6, 1))
    assert world.listed(shape) == ["source"] * 3, "without the second try they wait for the drain"
    assert len(world.unequal(shape)) == 3


@pytest.mark.parametrize("make", [worlds.dxy_like, worlds.orders_like])
def test_plans_made_on_empty_tables_read_by_key_when_they_are_full(
    make: Callable[[TargetUrls], World], target: TargetUrls
) -> None:
    """An application's session keeps the plans of its first statement, until somebody analyzes the tables."""
    world = make(target)
    name = world.move.name
    tables = ("derived", "bars") if name == "dxy" else ("shop.old_order", "shop.new_order")
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        for table in tables:
            owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
            owner.execute(f"ANALYZE {table}".encode())
    shape = world.switch_on("forward", "reverse")
    text = (MANY if name == "dxy" else ORDERS).encode()
    row = "close = 20001" if name == "dxy" else "amount = 20001"
    old = tables[0]
    with world.app(autocommit=False) as conn:
        conn.execute(text, (1, 3, 1))
        conn.execute(f"UPDATE {old} SET {row} WHERE {row.replace('20001', '1')}".encode())
        conn.execute(f"DELETE FROM {old} WHERE {row}".encode())
        conn.commit()
        with world.app() as other:
            other.execute(text, (100, 20_000, 1))
        before = _read(conn, tables)
        conn.execute(text, (20_001, 20_003, 1))
        assert _read(conn, tables) - before < 100, "an insert"
        conn.rollback()
        before = _read(conn, tables)
        conn.execute(MANY_CHANGED[name].encode())
        assert _read(conn, tables) - before < 100, "a correction"
        conn.rollback()
    assert world.unequal(shape) == []


MANY_CHANGED = {
    "dxy": "UPDATE derived SET vol = 1 WHERE symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL "
    "AND ts = '2024-01-01Z'::timestamptz + interval '200 minutes'",
    "orders": "UPDATE shop.old_order SET note = 'n' WHERE customer = 20 AND code = 'c200'",
}


def _read(conn: psycopg.Connection, tables: tuple[str, str]) -> int:
    """Rows that the transaction has read from the two tables."""
    found = conn.execute(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables "
        "WHERE relid = ANY (%s::regclass[])",
        (list(tables),),
    ).fetchone()
    assert found is not None
    return int(found[0])
