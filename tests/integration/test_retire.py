"""Cleanup: exactly the migrated rows retire, each proven equal, and no late write is stranded."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import ledger
from migration_runs.engine.move import retire
from migration_runs.exceptions import EngineError, Fenced, StepFailed, StopRequested
from tests.integration import copy_worker, jobs, worlds
from tests.integration.moving import SLEEPING, app, cleaned, minute, moved, ours, rows, slow, verify, wait_for
from tests.integration.worlds import World

ACTIVE = (
    "SELECT count(*) FROM public.derived WHERE symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL"
)
COPIES = (
    "SELECT symbol, timeframe, ts, close, vol, source, raw FROM public.bars ORDER BY symbol, timeframe, ts"
)
WITHDRAWN = "SELECT id, deleted_at FROM public.derived WHERE deleted_at IS NOT NULL ORDER BY id"


@pytest.fixture
def dxy(target: TargetUrls) -> World:
    """2000 minutes of DXY, 40 of them withdrawn; pieces of 100 rows."""
    world = jobs.migrating(worlds.dxy_like(target), initial_rows=100, min_rows=10, max_rows=100)
    jobs.fill_dxy(world, 2000)
    return world


@pytest.fixture
def orders(target: TargetUrls) -> World:
    """1000 orders; pieces of 64 rows."""
    world = jobs.migrating(worlds.orders_like(target), initial_rows=64, min_rows=10, max_rows=64)
    jobs.fill_orders(world, 1000)
    return world


def clean_up(world: World, heard: jobs.Heard | None = None) -> None:
    jobs.apply(world.job, 9, "retire", reporter=heard)


def gone(world: World) -> int:
    with world.runner() as conn:
        return retire.gone_rows(conn, world.shape())


def test_every_migrated_row_is_withdrawn_and_its_copy_stays(dxy: World) -> None:
    moved(dxy)
    before = rows(dxy, COPIES)
    clean_up(dxy)
    assert rows(dxy, ACTIVE) == [(0,)]
    assert gone(dxy) == 1960
    assert rows(dxy, COPIES) == before
    assert len(before) == 1961
    assert ours(dxy) == []


def test_rows_out_of_scope_and_rows_withdrawn_before_are_not_touched(dxy: World) -> None:
    app(dxy, "UPDATE public.derived SET deleted_at = '2020-01-01 00:00:00+00' WHERE deleted_at IS NOT NULL")
    before = rows(dxy, WITHDRAWN)
    others = rows(dxy, "SELECT * FROM public.derived WHERE symbol <> 'DXY' OR timeframe <> '1m' ORDER BY id")
    cleaned(dxy)
    now = rows(dxy, WITHDRAWN)
    assert [row for row in now if row in before] == before
    assert len(now) == len(before) + 1960
    assert (
        rows(dxy, "SELECT * FROM public.derived WHERE symbol <> 'DXY' OR timeframe <> '1m' ORDER BY id")
        == others
    )


def test_without_soft_delete_rows_are_deleted_and_their_images_kept(orders: World) -> None:
    before = rows(orders, "SELECT to_jsonb(o) FROM shop.old_order AS o ORDER BY customer, code")
    cleaned(orders)
    assert rows(orders, "SELECT FROM shop.old_order") == []
    assert rows(orders, "SELECT count(*) FROM shop.new_order") == [(1000,)]
    shape = orders.shape()
    images = rows(orders, f"SELECT image FROM {shape.gone.as_string()} ORDER BY k1, k2")
    assert images == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM public.bars WHERE ts = '2026-03-02 12:00:00+00'", "1 missing"),
        ("UPDATE public.bars SET close = 1 WHERE ts = '2026-03-02 12:00:00+00'", "1 different"),
    ],
)
def test_nothing_is_retired_while_one_row_is_not_equal(dxy: World, damage: str, said: str) -> None:
    moved(dxy)
    with dxy.app() as conn:
        # As damage reaches a table past every trigger: a restore, a superuser, a fault.
        shape = dxy.shape()
        conn.execute(f"ALTER TABLE public.bars DISABLE TRIGGER USER; {damage}".encode())
        for event in ("insert", "update", "delete"):
            name = shape.trigger_name(f"reverse_{event}")
            conn.execute(f'ALTER TABLE public.bars ENABLE ALWAYS TRIGGER "{name}"'.encode())
    with pytest.raises(StepFailed, match=said) as failed:
        clean_up(dxy)
    assert "2026-03-02 12:00:00+00" in str(failed.value)
    assert rows(dxy, ACTIVE) == [(1960,)]
    assert gone(dxy) == 0


def test_cleanup_without_dual_write_is_refused(dxy: World) -> None:
    jobs.apply(dxy.job, 4, *jobs.BACKFILL)
    with pytest.raises(EngineError, match="both directions"):
        clean_up(dxy)
    assert rows(dxy, ACTIVE) == [(1960,)]


def test_rows_written_to_either_side_between_copy_and_cleanup_survive(dxy: World) -> None:
    moved(dxy)
    app(
        dxy,
        "INSERT INTO public.derived (symbol, timeframe, ts, close) "
        "VALUES ('DXY', '1m', '2026-04-01 00:00:00+00', 90), ('DXY', '1m', '2026-04-01 00:01:00+00', 91)",
        "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) "
        "VALUES ('DXY', '1m', '2026-04-01 00:02:00+00', 92, 'synthetic', '{}')",
        "UPDATE public.bars SET close = 93 WHERE symbol = 'DXY' AND ts = '2026-04-01 00:00:00+00'",
    )
    clean_up(dxy)
    assert rows(dxy, ACTIVE) == [(0,)]
    assert rows(dxy, "SELECT close FROM public.bars WHERE ts >= '2026-04-01' ORDER BY ts") == [
        (93.0,),
        (91.0,),
        (92.0,),
    ]
    assert gone(dxy) == 1963


def test_stragglers_during_cleanup_arrive_in_the_target_and_retire_too(dxy: World) -> None:
    """Old code goes on writing to the source, new code to the target, between any two pieces."""
    moved(dxy)
    number = itertools.count()

    def write() -> None:
        n = next(number)
        app(
            dxy,
            "INSERT INTO public.derived (symbol, timeframe, ts, close) "
            f"VALUES ('DXY', '1m', {minute('2026-05-01', n)}, {n})",
            "UPDATE public.derived SET close = 55 WHERE symbol = 'DXY' AND timeframe = '1m' "
            f"AND deleted_at IS NULL AND ts = {minute('2026-03-02 08:00', n * 61)}",
            "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) "
            f"VALUES ('DXY', '1m', {minute('2026-06-01', n)}, {n}, 'synthetic', '{{}}')",
            "UPDATE public.bars SET close = 66 WHERE symbol = 'DXY' "
            f"AND ts = {minute('2026-03-02 08:00', n * 53)}",
        )

    clean_up(dxy, jobs.Heard(between=write))
    rounds = next(number)
    assert rounds > 20
    assert rows(dxy, ACTIVE) == [(0,)]
    assert rows(dxy, "SELECT count(*) FROM public.bars WHERE ts BETWEEN '2026-05-01' AND '2026-05-31'") == [
        (rounds,)
    ]
    assert rows(dxy, "SELECT count(*) FROM public.bars WHERE ts >= '2026-06-01'") == [(rounds,)]
    history = "SELECT count(*) FROM public.bars WHERE symbol = 'DXY' AND ts < '2026-04-01'"
    assert rows(dxy, history) == [(1960,)]
    # Old code finds a row that has retired already no more; what it did change has arrived.
    changed = "SELECT count(*) FROM public.derived WHERE symbol = 'DXY' AND close = 55"
    assert rows(dxy, "SELECT count(*) FROM public.bars WHERE close = 55") == rows(dxy, changed)
    assert rows(dxy, "SELECT count(*) >= 20 FROM public.bars WHERE close = 66") == [(True,)]


def test_a_row_that_the_application_withdraws_during_cleanup_leaves_the_target(dxy: World) -> None:
    moved(dxy)
    once = iter([None])

    def withdraw() -> None:
        for _ in once:
            app(dxy, "UPDATE public.derived SET deleted_at = now() WHERE symbol = 'DXY' AND close = 101.9")

    clean_up(dxy, jobs.Heard(between=withdraw))
    assert rows(dxy, "SELECT FROM public.bars WHERE close = 101.9") == []
    assert gone(dxy) == 1959


def test_a_worker_killed_during_cleanup_leaves_whole_pieces_and_the_next_finishes(dxy: World) -> None:
    moved(dxy)
    with slow(dxy, "public.derived", "UPDATE", seconds=60, when="NEW.close = 101.5"):
        worker = copy_worker.start_cleanup(dxy.job)
        wait_for(dxy, SLEEPING)
        copy_worker.kill(worker)
        wait_for(dxy, f"SELECT WHERE NOT EXISTS ({SLEEPING})")
    before = gone(dxy)
    assert 0 < before < 1960
    assert rows(dxy, ACTIVE) == [(1960 - before,)]
    assert rows(dxy, "SELECT count(*) FROM public.bars WHERE symbol = 'DXY'") == [(1960,)]
    clean_up(dxy)
    assert gone(dxy) == 1960
    assert rows(dxy, "SELECT count(*) FROM public.bars WHERE symbol = 'DXY'") == [(1960,)]
    assert ours(dxy) == []


def test_a_pause_stops_between_pieces_and_dual_write_stays_on(dxy: World) -> None:
    moved(dxy)
    heard = jobs.Heard()
    beats = itertools.count()
    heard.between = lambda: heard.stop.set() if next(beats) == 6 else None
    with pytest.raises(StopRequested):
        clean_up(dxy, heard)
    assert 0 < gone(dxy) < 1960
    assert len(ours(dxy)) == 8
    assert verify(dxy).missing == 0
    clean_up(dxy)
    assert gone(dxy) == 1960


def test_a_worker_whose_token_was_raised_retires_nothing_more(dxy: World) -> None:
    moved(dxy)
    beats = itertools.count()
    kept: list[int] = []

    def take_over() -> None:
        if next(beats) == 6:
            with dxy.runner() as conn:
                ledger.ensure(conn, replace(dxy.job, token=2))
            kept.append(gone(dxy))

    with pytest.raises(Fenced):
        clean_up(dxy, jobs.Heard(between=take_over))
    assert kept == [gone(dxy)]


def test_the_triggers_go_in_the_transaction_that_finds_no_row_left(dxy: World) -> None:
    """A writer who holds the source open until the last moment is waited for, and its row retires."""
    moved(dxy)
    with dxy.app(autocommit=False) as late:
        late.execute(
            "INSERT INTO public.derived (symbol, timeframe, ts, close) "
            "VALUES ('DXY', '1m', '2026-07-01 00:00:00+00', 77)"
        )
        heard = jobs.Heard()
        beats = itertools.count()

        def commit_late() -> None:
            if gone(dxy) == 1960 and next(beats) == 3:
                late.commit()

        heard.between = commit_late
        clean_up(dxy, heard)
    assert rows(dxy, ACTIVE) == [(0,)]
    assert rows(dxy, "SELECT close FROM public.bars WHERE ts = '2026-07-01 00:00:00+00'") == [(77.0,)]
    assert ours(dxy) == []


def test_who_has_read_a_table_and_is_about_to_write_it_meets_no_deadlock_when_triggers_go(dxy: World) -> None:
    """Asking for ACCESS EXCLUSIVE while holding less is what deadlocks: nothing less may ever be held."""
    moved(dxy)
    held = (
        "SELECT mode FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE application_name LIKE 'phasegate/%' AND granted AND mode = 'ShareRowExclusiveLock' "
        "AND relation IN ('public.derived'::regclass, 'public.bars'::regclass)"
    )
    waits = (
        "SELECT mode FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE application_name LIKE 'phasegate/%' AND NOT granted AND mode = 'AccessExclusiveLock'"
    )
    with ThreadPoolExecutor(1) as worker, dxy.app(autocommit=False) as application:
        application.execute("SELECT count(*) FROM public.derived")
        cleaning = worker.submit(clean_up, dxy)
        seen: list[str] = []
        while len(seen) < 5:  # it has tried and given way five times
            assert not cleaning.done()
            assert rows(dxy, held) == []
            seen += [str(row[0]) for row in rows(dxy, waits)]
        application.execute("UPDATE public.derived SET vol = vol WHERE symbol = 'EURUSD'")
        application.commit()
        cleaning.result()
    assert ours(dxy) == []
    assert rows(dxy, ACTIVE) == [(0,)]
