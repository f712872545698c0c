"""The chunked copy: every row exactly once, whoever dies, however many work on it."""

from __future__ import annotations

import itertools
import random
import threading
import time
from dataclasses import replace

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import ledger
from migration_runs.engine.move import chunks, copier, copy_plan, live_writes
from migration_runs.exceptions import Fenced, StepFailed, StopRequested
from tests.integration import copy_worker, jobs, worlds
from tests.integration.moving import SLEEPING, app, minute, rows, slow, verify, wait_for
from tests.integration.worlds import World


@pytest.fixture
def dxy(target: TargetUrls) -> World:
    """2000 minutes of DXY, 40 of them withdrawn; chunks of 100 rows."""
    world = jobs.migrating(
        worlds.dxy_like(target), initial_rows=100, min_rows=10, max_rows=100, live_target_ms=500
    )
    jobs.fill_dxy(world, 2000)
    return world


@pytest.fixture
def orders(target: TargetUrls) -> World:
    """1000 orders of 101 customers; chunks of 64 rows."""
    world = jobs.migrating(worlds.orders_like(target), initial_rows=64, min_rows=10, max_rows=64)
    jobs.fill_orders(world, 1000)
    return world


def plan(world: World) -> int:
    with world.runner() as conn:
        return copy_plan.plan_ranges(conn, world.job, world.shape())


def forward(world: World) -> None:
    jobs.apply(world.job, 4, "forward_on")


def copied(world: World) -> copy_plan.Copied:
    with world.runner() as conn:
        return copy_plan.copied(conn, world.job)


def test_every_row_is_copied_once_in_adjoining_chunks(dxy: World) -> None:
    forward(dxy)
    assert plan(dxy) == 1960
    heard = jobs.Heard()
    assert copier.work(dxy.job, heard) == 20
    done = rows(dxy, "SELECT lo, hi, rows, inserted, state FROM phasegate.chunk ORDER BY n")
    assert {row[4] for row in done} == {"done"}
    assert done[0][0] is None
    for before, after in itertools.pairwise(done):
        assert before[1] == after[0]
    assert sum(row[2] for row in done) == sum(row[3] for row in done) == 1960
    assert verify(dxy).clean
    assert heard.progresses[-1] == (1960, 1960, "")


def test_planning_again_changes_nothing(dxy: World) -> None:
    forward(dxy)
    plan(dxy)
    before = rows(dxy, "SELECT * FROM phasegate.chunk")
    assert plan(dxy) == 1960
    assert rows(dxy, "SELECT * FROM phasegate.chunk") == before


@pytest.mark.parametrize("chunk_column", ["customer", "code", "placed"])
def test_any_ordered_column_cuts_the_copy(orders: World, chunk_column: str) -> None:
    world = orders.with_move(chunk_column=chunk_column)
    forward(world)
    plan(world)
    copier.work(world.job, jobs.Heard())
    assert copied(world).rows == 1000
    assert verify(world).clean


def test_a_column_that_the_target_does_not_have_cuts_the_copy_too(dxy: World) -> None:
    world = dxy.with_move(chunk_column="id")
    forward(world)
    plan(world)
    app(world, "UPDATE public.derived SET close = 7 WHERE symbol = 'DXY' AND mod(id, 90) = 1")
    copier.work(world.job, jobs.Heard())
    assert copied(world).rows == 1960
    assert verify(world).clean
    app(
        world,
        "UPDATE public.bars SET close = 8 WHERE symbol = 'DXY' AND ts = '2026-03-02 12:00:00+00'",
    )
    assert verify(world).different == 1


def test_where_the_target_has_rows_that_the_order_cannot_find_wrong_ones_are_refused(dxy: World) -> None:
    world = dxy.with_move(chunk_column="id")
    forward(world)
    plan(world)
    app(
        world,
        "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) "
        "VALUES ('DXY', '1m', '2026-03-02 12:00:00+00', 1, 'synthetic', '{}')",
    )
    with pytest.raises(StepFailed, match="ts=2026-03-02 12:00:00"):
        copier.work(world.job, jobs.Heard())


def test_a_chunk_column_that_is_null_is_refused(orders: World) -> None:
    world = orders.with_move(chunk_column="note")
    forward(world)
    with pytest.raises(StepFailed, match="have no note"):
        plan(world)
    assert rows(world, "SELECT FROM phasegate.chunk") == []


def test_four_processes_share_one_copy(target: TargetUrls) -> None:
    world = jobs.migrating(worlds.dxy_like(target), initial_rows=25, min_rows=10, max_rows=25, workers=4)
    jobs.fill_dxy(world, 4000)
    forward(world)
    plan(world)
    assert len(rows(world, "SELECT FROM phasegate.chunk")) == 4 * chunks.RANGES_PER_WORKER
    with slow(world, "public.bars", "INSERT", seconds=0.05, when="extract(minute FROM NEW.ts) = 30"):
        workers = [copy_worker.start(replace(world.job, worker=f"w{number}")) for number in range(4)]
        shares = [copy_worker.chunks(worker) for worker in workers]
    assert all(shares), shares
    so_far = copied(world)
    assert (so_far.rows, so_far.inserted, so_far.left) == (3920, 3920, 0)
    assert so_far.chunks == sum(shares)
    assert verify(world).clean


def test_a_worker_killed_inside_a_chunk_leaves_nothing_of_it_and_the_next_finishes(dxy: World) -> None:
    forward(dxy)
    plan(dxy)
    with slow(dxy, "public.bars", "INSERT", seconds=60, when="NEW.ts = '2026-03-02 18:00:00+00'"):
        worker = copy_worker.start(dxy.job)
        wait_for(dxy, SLEEPING)
        before = copied(dxy)
        copy_worker.kill(worker)
        wait_for(dxy, f"SELECT WHERE NOT EXISTS ({SLEEPING})")
    assert 0 < before.rows < 1960
    assert copied(dxy) == before
    assert verify(dxy).target_rows == before.rows
    copier.work(dxy.job, jobs.Heard())
    assert (copied(dxy).rows, copied(dxy).inserted) == (1960, 1960)
    assert verify(dxy).clean


def test_a_pause_stops_between_chunks_and_the_copy_goes_on_from_there(dxy: World) -> None:
    forward(dxy)
    plan(dxy)
    heard = jobs.Heard()
    beats = itertools.count()
    heard.between = lambda: heard.stop.set() if next(beats) == 5 else None
    with pytest.raises(StopRequested):
        copier.work(dxy.job, heard)
    assert copied(dxy).chunks == 5
    assert verify(dxy).target_rows == copied(dxy).rows == 500
    copier.work(dxy.job, jobs.Heard())
    assert verify(dxy).clean


def test_a_worker_whose_token_was_raised_writes_nothing_more(dxy: World) -> None:
    forward(dxy)
    plan(dxy)
    successor = replace(dxy.job, token=2)
    heard = jobs.Heard()
    beats = itertools.count()

    def take_over() -> None:
        if next(beats) == 3:
            with dxy.runner() as conn:
                ledger.ensure(conn, successor)

    heard.between = take_over
    with pytest.raises(Fenced):
        copier.work(dxy.job, heard)
    assert copied(dxy).chunks == 3
    copier.work(successor, jobs.Heard())
    assert verify(dxy).clean


def test_equal_rows_that_were_there_are_left_alone(dxy: World) -> None:
    with dxy.app() as conn:
        conn.execute(
            "INSERT INTO public.bars (symbol, timeframe, ts, close, vol, source, raw) "
            "SELECT symbol, timeframe, ts, close, vol, 'synthetic', jsonb_build_object('quality', quality, "
            "'version', version, 'extra', extra, 'created_at', created_at, 'kind', 'dxy') "
            "FROM public.derived "
            "WHERE timeframe = '1m' AND symbol = 'DXY' AND deleted_at IS NULL AND close < 100.3"
        )
        there = conn.execute("SELECT count(*), max(id) FROM public.bars WHERE symbol = 'DXY'").fetchone()
    assert there is not None
    forward(dxy)
    plan(dxy)
    copier.work(dxy.job, jobs.Heard())
    assert copied(dxy).rows == 1960
    assert copied(dxy).inserted == 1960 - there[0]
    assert verify(dxy).clean


def test_a_different_row_written_behind_the_triggers_is_refused_by_its_key(dxy: World) -> None:
    forward(dxy)
    plan(dxy)
    with dxy.app() as conn:
        conn.execute(
            "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) "
            "VALUES ('DXY', '1m', '2026-03-02 12:00:00+00', 1, 'synthetic', '{}')"
        )
    with pytest.raises(StepFailed, match="ts=2026-03-02 12:00:00") as refused:
        copier.work(dxy.job, jobs.Heard())
    assert "nothing of this chunk" in refused.value.kept
    so_far = copied(dxy)
    assert verify(dxy).target_rows == so_far.rows + 1
    assert so_far.rows < 240


def test_the_copier_gives_way_to_a_row_that_the_application_holds(dxy: World) -> None:
    forward(dxy)
    plan(dxy)
    with dxy.app(autocommit=False) as app:
        app.execute(
            "UPDATE public.derived SET close = 55 "
            "WHERE symbol = 'DXY' AND timeframe = '1m' AND ts = '2026-03-02 08:30:00+00'"
        )
        heard = jobs.Heard()
        worker = threading.Thread(target=copier.work, args=(dxy.job, heard))
        worker.start()
        while not any("giving way" in note for _, _, note in list(heard.progresses)):
            time.sleep(0.02)
        app.commit()
        worker.join()
    assert rows(dxy, "SELECT close FROM public.bars WHERE ts = '2026-03-02 08:30:00+00'") == [(55.0,)]
    assert verify(dxy).clean


def test_a_busy_target_is_waited_for_and_the_reason_is_shown(dxy: World) -> None:
    world = jobs.migrating(dxy, initial_rows=100, max_rows=100, max_active_sessions=0)
    forward(world)
    plan(world)
    heard = jobs.Heard()
    busy = threading.Thread(target=app, args=(world, "SELECT pg_sleep(1.5)"))
    busy.start()
    wait_for(world, "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1.5)'")
    copier.work(world.job, heard)
    busy.join()
    assert any("1 sessions are active (limit 0)" in note for _, _, note in heard.progresses)
    assert any(waited_s > 0 for _, waited_s in heard.waits)
    assert heard.progresses[-1][2] == ""
    assert verify(world).clean


def sizes(world: World) -> list[int]:
    return [row[0] for row in rows(world, "SELECT rows FROM phasegate.chunk WHERE state = 'done' ORDER BY n")]


def lively(world: World) -> World:
    """Chunks of 100 rows, and of 10 beside live writes."""
    hour = 3_600_000
    return jobs.migrating(
        world, initial_rows=100, min_rows=10, max_rows=100, target_ms=hour, live_target_ms=hour // 10
    )


def test_the_first_chunks_are_small_since_nothing_is_known_yet(dxy: World) -> None:
    world = lively(dxy)
    forward(world)
    plan(world)
    copier.work(world.job, jobs.Heard())
    assert sizes(world)[0] == 10
    assert verify(world).clean


def test_chunks_are_small_while_the_application_changes_rows(
    dxy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_writes, "ASSUMED_S", 0.0)
    world = lively(dxy)
    forward(world)
    plan(world)
    heard = jobs.Heard()
    beats = itertools.count()

    def write() -> None:
        if next(beats) == 3:
            app(world, "UPDATE public.derived SET close = 7 WHERE symbol = 'DXY' AND id % 40 = 1")

    heard.between = write
    copier.work(world.job, heard)
    assert sizes(world)[:5] == [100, 100, 100, 10, 20]
    assert verify(world).clean


def test_a_change_now_and_then_leaves_chunks_as_they_are(dxy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_writes, "ASSUMED_S", 0.0)
    world = lively(dxy)
    forward(world)
    plan(world)
    heard = jobs.Heard()

    def write() -> None:
        time.sleep(0.2)
        app(world, "UPDATE public.derived SET close = 7 WHERE symbol = 'DXY' AND id = 1900")

    heard.between = write
    copier.work(world.job, heard)
    assert set(sizes(world)) == {100, 60}
    assert verify(world).clean


HELD = """
CREATE FUNCTION public.held() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    WHILE NOT EXISTS (SELECT FROM public.bars WHERE symbol = 'DXY' AND ts = '2026-03-02 08:50:00+00') LOOP
        PERFORM pg_sleep(0.05);
    END LOOP;
    RETURN NEW;
END$$;
CREATE TRIGGER held BEFORE INSERT ON public.bars
    FOR EACH ROW WHEN (NEW.ts = '2026-03-02 08:10:00+00') EXECUTE FUNCTION public.held();
"""


def test_a_row_that_comes_into_an_open_chunk_makes_the_next_try_small(dxy: World) -> None:
    world = lively(dxy)
    forward(world)
    plan(world)
    app(world, HELD)
    worker = threading.Thread(target=copier.work, args=(world.job, jobs.Heard()))
    worker.start()
    wait_for(world, SLEEPING)
    app(world, "UPDATE public.derived SET close = 7 WHERE symbol = 'DXY' AND ts = '2026-03-02 08:50:00+00'")
    worker.join()
    assert sizes(world)[0] == 10
    assert verify(world).clean


BY_MINUTE = (
    "SELECT (extract(epoch FROM ts - timestamptz '2026-03-02 08:00:00+00') / 60)::int, close "
    "FROM public.bars WHERE symbol = 'DXY'"
)


def test_a_live_writer_loses_nothing_while_workers_copy_and_die(target: TargetUrls) -> None:
    world = jobs.migrating(worlds.dxy_like(target), initial_rows=50, min_rows=10, max_rows=50, workers=2)
    jobs.fill_dxy(world, 4000)
    forward(world)
    plan(world)
    over = threading.Event()
    written: dict[int, float | None] = {}
    writer = threading.Thread(target=_write, args=(world, over, written))
    with slow(world, "public.bars", "INSERT", seconds=0.02, when="extract(minute FROM NEW.ts) = 30"):
        writer.start()
        first, second = (copy_worker.start(replace(world.job, worker=f"w{number}")) for number in (1, 2))
        wait_for(world, "SELECT FROM phasegate.chunk WHERE state = 'done' OFFSET 10")
        copy_worker.kill(first)
        copier.work(replace(world.job, worker="w3"), jobs.Heard())
        copy_worker.chunks(second)
    over.set()
    writer.join()
    jobs.apply(world.job, 4, "settle", "verify")
    assert len(written) > 50
    found: dict[int, float] = dict(rows(world, BY_MINUTE))
    assert {number: found.get(number) for number in written} == written


def _write(world: World, over: threading.Event, written: dict[int, float | None]) -> None:
    """Insert, correct and withdraw minutes at random until ``over``; ``written`` is what was committed."""
    chance = random.Random(4)
    with world.app() as conn:
        while not over.is_set():
            number, close = chance.randrange(1, 4200), chance.random()
            key = f"symbol = 'DXY' AND timeframe = '1m' AND ts = {minute('2026-03-02 08:00', number)}"
            if chance.random() < 0.2:
                withdraw = f"UPDATE public.derived SET deleted_at = now() WHERE {key} AND deleted_at IS NULL"
                conn.execute(withdraw.encode())
                written[number] = None
                continue
            conn.execute(
                "INSERT INTO public.derived (symbol, timeframe, ts, close) "
                f"VALUES ('DXY', '1m', {minute('2026-03-02 08:00', number)}, {close!r}) "
                "ON CONFLICT (symbol, timeframe, ts) WHERE deleted_at IS NULL "
                "DO UPDATE SET close = excluded.close".encode()
            )
            written[number] = close


WRONG = (
    "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) "
    "SELECT 'DXY', '1m', timestamptz '2026-03-02 08:00:00+00' + n * interval '1 minute', 1, 'wrong', '{}' "
    "FROM generate_series(100, 1900, 100) AS n"
)
THERE = "SELECT id, ts, close, source FROM public.bars WHERE source = 'wrong' ORDER BY ts"


def test_overwritten_rows_come_back_after_two_workers_one_of_them_killed(target: TargetUrls) -> None:
    world = jobs.migrating(worlds.dxy_like(target), initial_rows=50, min_rows=10, max_rows=50, workers=2)
    world = world.with_move(on_different="overwrite")
    jobs.fill_dxy(world, 2000)
    app(world, WRONG)
    before = rows(world, THERE)
    forward(world)
    plan(world)
    with slow(world, "public.bars", "INSERT", seconds=0.1, when="extract(minute FROM NEW.ts) = 30"):
        first, second = (copy_worker.start(replace(world.job, worker=f"w{number}")) for number in (1, 2))
        wait_for(world, "SELECT FROM phasegate.chunk WHERE state = 'done' OFFSET 5")
        copy_worker.kill(first)
        copy_worker.chunks(second)
    copier.work(replace(world.job, worker="w3"), jobs.Heard())
    jobs.apply(world.job, 4, "copy", "settle", "verify")
    assert rows(world, THERE) == []
    assert verify(world).clean
    jobs.undo(world.job, 4, "verify", "settle", "copy", "forward_on")
    assert len(before) == 19
    assert rows(world, THERE) == before
