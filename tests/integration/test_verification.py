"""The comparison of source and target: what it finds, and what it must not pass."""

from __future__ import annotations

from typing import Any

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import ledger
from migration_runs.engine.move import copier, copy_plan, run_tables, verification
from migration_runs.engine.outcome import Verification
from tests.integration import jobs, worlds
from tests.integration.worlds import World


@pytest.fixture
def dxy(target: TargetUrls) -> World:
    """1000 minutes of DXY, 20 of them withdrawn, beside rows that the move is not about."""
    world = jobs.migrating(worlds.dxy_like(target))
    jobs.fill_dxy(world, 1000)
    return world


@pytest.fixture
def orders(target: TargetUrls) -> World:
    """1000 orders of 101 customers."""
    world = jobs.migrating(worlds.orders_like(target))
    jobs.fill_orders(world, 1000)
    return world


def copy(world: World) -> None:
    """All of history. Of dual-write only the lists: no trigger repairs what a test damages."""
    with world.runner() as conn:
        with ledger.fenced(conn, world.job):
            run_tables.create(conn, world.shape())
        copy_plan.plan_ranges(conn, world.job, world.shape())
    copier.work(world.job, jobs.Heard())


def verify(world: World, *, examples: int = 20) -> Verification:
    return verification.verify(world.job.target_url, world.job.plan, world.job.run_uid, examples=examples)


def test_a_whole_copy_is_clean(dxy: World) -> None:
    copy(dxy)
    found = verify(dxy)
    assert found.clean
    assert (found.source_rows, found.target_rows, found.pending) == (980, 980, 0)
    assert found.lowest == "2026-03-02 08:01:00+00"
    assert found.highest == "2026-03-03 00:40:00+00"
    assert set(found.columns) == {"symbol", "timeframe", "ts", "close", "vol", "source", "raw"}


def test_a_composite_key_and_packed_nulls_are_clean(orders: World) -> None:
    copy(orders)
    found = verify(orders)
    assert found.clean
    assert (found.source_rows, found.target_rows) == (1000, 1000)


def test_before_the_copy_everything_is_missing(dxy: World) -> None:
    found = verify(dxy, examples=3)
    assert (found.missing, found.extra, found.different) == (980, 0, 0)
    assert [example.kind for example in found.examples] == ["missing"] * 3
    first = found.examples[0]
    assert first.key == {"symbol": "DXY", "timeframe": "1m", "ts": "2026-03-02 08:01:00+00"}
    assert first.target is None
    assert first.source is not None
    assert first.source["close"] == "100.001"


LAST = "WHERE symbol = 'DXY' AND close > 100.9995"
INVENTED = """
INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw)
VALUES ('DXY', '1m', '2030-01-01 00:00:00+00', 1, 'synthetic', '{}')
"""


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (f"UPDATE public.bars SET close = close + 1e-9 {LAST}", "different"),
        (f"UPDATE public.bars SET vol = NULL {LAST}", "different"),
        (f"UPDATE public.bars SET raw = raw - 'quality' {LAST}", "different"),
        (f"UPDATE public.bars SET source = 'feed' {LAST}", "different"),
        (f"DELETE FROM public.bars {LAST}", "missing"),
        (INVENTED, "extra"),
    ],
)
def test_one_altered_row_among_a_thousand_is_found(dxy: World, damage: str, kind: str) -> None:
    copy(dxy)
    with dxy.app() as conn:
        assert conn.execute(damage.encode()).rowcount == 1
    found = verify(dxy)
    assert not found.clean
    figures = {"missing": found.missing, "extra": found.extra, "different": found.different}
    assert figures == {**dict.fromkeys(figures, 0), kind: 1}
    assert [example.kind for example in found.examples] == [kind]


def test_a_withdrawn_row_that_lives_in_the_target_is_extra(dxy: World) -> None:
    copy(dxy)
    with dxy.app() as conn:
        conn.execute("UPDATE public.derived SET deleted_at = now() WHERE symbol = 'DXY' AND close = 100.5")
    found = verify(dxy)
    assert (found.missing, found.extra, found.different) == (0, 1, 0)


def test_rows_out_of_scope_are_nobodys_difference(dxy: World) -> None:
    copy(dxy)
    with dxy.app() as conn:
        conn.execute("UPDATE public.bars SET close = 7 WHERE symbol = 'EURUSD'")
        conn.execute("UPDATE public.derived SET close = 8 WHERE timeframe = '5m'")
    assert verify(dxy).clean


def test_a_declared_tolerance_forgives_rounding_and_nothing_more(dxy: World) -> None:
    copy(dxy)
    with dxy.app() as conn:
        conn.execute("UPDATE public.bars SET close = close + 4e-9 WHERE symbol = 'DXY' AND close > 100.5")
    assert verify(dxy).different > 400
    tolerant = dxy.with_move(tolerance={"close": 5e-9})
    assert verify(tolerant).clean
    with dxy.app() as conn:
        conn.execute("UPDATE public.bars SET close = close + 1e-8 WHERE symbol = 'DXY' AND close > 100.9995")
    assert verify(tolerant).different == 1


def test_a_tolerance_does_not_make_null_equal_to_a_number(dxy: World) -> None:
    copy(dxy)
    with dxy.app() as conn:
        conn.execute("UPDATE public.bars SET close = NULL WHERE symbol = 'DXY' AND close > 100.9995")
    assert verify(dxy.with_move(tolerance={"close": 1000.0})).different == 1


def test_examples_are_the_first_in_order_of_the_key_with_both_images(orders: World) -> None:
    copy(orders)
    with orders.app() as conn:
        conn.execute("UPDATE shop.new_order SET amount = amount + 1 WHERE client IN (3, 7, 90)")
    found = verify(orders, examples=2)
    assert found.different == 30
    assert [example.key for example in found.examples] == [
        {"client": "3", "code": "c0"},
        {"client": "3", "code": "c1"},
    ]
    source, compared = found.examples[0].source, found.examples[0].target
    assert source is not None
    assert compared is not None
    assert (source["amount"], compared["amount"]) == ("30.30", "31.30")


def test_verification_writes_nothing_and_leaves_no_transaction(dxy: World) -> None:
    before = _written(dxy)
    verify(dxy)
    assert _written(dxy) == before


def _written(world: World) -> Any:
    with world.app() as conn:
        row = conn.execute(
            "SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del), "
            "(SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%/verification') "
            "FROM pg_stat_user_tables"
        ).fetchone()
    assert row is not None
    return row
