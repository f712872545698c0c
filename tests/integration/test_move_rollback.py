"""A move undone from wherever it stands: no row lost, none twice, none revived that others withdrew."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import rollback as engine_rollback
from migration_runs.engine import runner
from migration_runs.engine.move import retire, rollback
from migration_runs.exceptions import StepFailed, StopRequested
from tests.integration import copy_worker, jobs, worlds
from tests.integration.moving import (
    SLEEPING,
    Rows,
    app,
    cleaned,
    minute,
    moved,
    ours,
    rolled_back,
    rows,
    slow,
    verify,
    wait_for,
)
from tests.integration.worlds import World

ALL = (9, 5, 4)
NEIGHBOURS = "SELECT symbol, timeframe, ts, close, source, raw FROM public.bars WHERE symbol <> 'DXY'"
COPIES = "SELECT ts, close FROM public.bars WHERE symbol = 'DXY' ORDER BY ts"
SOURCE = (
    "SELECT id, symbol, timeframe, ts, close, vol, quality, version, extra, created_at, deleted_at "
    "FROM public.derived ORDER BY id"
)
LIVE = (
    "SELECT ts, close FROM public.derived "
    "WHERE symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL ORDER BY ts"
)
DUPLICATES = (
    "SELECT ts FROM public.derived WHERE symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL "
    "GROUP BY ts HAVING count(*) > 1"
)
REPLACED = (
    # A row withdrawn long ago whose key lives on in another row, and one whose key does not.
    "INSERT INTO public.derived (symbol, timeframe, ts, close, deleted_at) VALUES "
    "('DXY', '1m', '2026-03-02 09:00:00+00', 1, '2020-01-01 00:00:00+00'), "
    "('DXY', '1m', '2026-01-01 09:00:00+00', 2, '2020-01-01 00:00:00+00')"
)
INSERTED = (
    "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) "
    "VALUES ('DXY', '1m', '2026-07-01 00:00:00+00', 70, 'synthetic', '{}')"
)
CORRECTED = "UPDATE public.bars SET close = 71 WHERE symbol = 'DXY' AND ts = '2026-03-02 10:00:00+00'"
REMOVED = "DELETE FROM public.bars WHERE symbol = 'DXY' AND ts = '2026-03-02 11:00:00+00'"
NEW_ORDER = (
    "INSERT INTO shop.new_order (client, code, amount, placed, channel, more) "
    """VALUES (900, 'new', 9, '2026-07-01 00:00:00+00', 'legacy', '{"note": "n", "tags": ["t"]}')"""
)


def make_dxy(target: TargetUrls) -> World:
    world = jobs.migrating(worlds.dxy_like(target), initial_rows=100, min_rows=10, max_rows=100)
    jobs.fill_dxy(world, 1000)
    app(world, REPLACED)
    return world


@pytest.fixture
def dxy(target: TargetUrls) -> World:
    """1000 minutes of DXY, 20 withdrawn, 2 more long ago; pieces of 100 rows; copied rows are deleted."""
    return make_dxy(target)


@pytest.fixture
def orders(target: TargetUrls) -> World:
    """300 orders; pieces of 64 rows; copied rows are deleted."""
    world = jobs.migrating(worlds.orders_like(target), initial_rows=64, min_rows=10, max_rows=64)
    jobs.fill_orders(world, 300)
    return world


def keeping(world: World) -> World:
    return jobs.migrating(world, data_decision="keep", initial_rows=100, min_rows=10, max_rows=100)


def stopped_after(beats: int) -> jobs.Heard:
    heard = jobs.Heard()
    counted = itertools.count()
    heard.between = lambda: heard.stop.set() if next(counted) == beats else None
    return heard


def chunk_rows(world: World) -> Rows:
    return rows(world, "SELECT FROM phasegate.chunk")


def test_after_the_backfill_both_tables_are_as_before(dxy: World) -> None:
    before = rows(dxy, SOURCE)
    neighbours = rows(dxy, NEIGHBOURS)
    moved(dxy)
    rolled_back(dxy, phases=(5, 4))
    assert rows(dxy, SOURCE) == before
    assert rows(dxy, COPIES) == []
    assert rows(dxy, NEIGHBOURS) == neighbours
    assert ours(dxy) == []
    assert chunk_rows(dxy) == []


def test_with_the_decision_keep_the_copies_stay(dxy: World) -> None:
    world = keeping(dxy)
    moved(world)
    copies = rows(world, COPIES)
    rolled_back(world, phases=(5, 4))
    assert rows(world, COPIES) == copies == rows(world, LIVE)
    assert ours(world) == []


@pytest.mark.parametrize("beats", [1, 4, 8])
def test_in_mid_copy(dxy: World, beats: int) -> None:
    before = rows(dxy, SOURCE)
    jobs.apply(dxy.job, 4, "forward_on")
    with pytest.raises(StopRequested):
        jobs.apply(dxy.job, 4, "copy", reporter=stopped_after(beats))
    app(dxy, "UPDATE public.derived SET close = 5 WHERE symbol = 'DXY' AND ts = '2026-03-02 09:00:00+00' "
        "AND deleted_at IS NULL")  # fmt: skip
    rolled_back_copy = ("copy", "forward_on")
    jobs.undo(dxy.job, 4, *rolled_back_copy)
    after = rows(dxy, SOURCE)
    assert [row for row in after if row not in before] == [row for row in after if row[4] == 5]
    assert len(after) == len(before)
    assert rows(dxy, COPIES) == []
    assert ours(dxy) == []


def test_while_old_code_goes_on_writing_no_row_is_left_in_the_target(dxy: World) -> None:
    moved(dxy)
    jobs.undo(dxy.job, 5, "reverse_on")
    number = itertools.count()

    def write() -> None:
        n = next(number)
        app(
            dxy,
            "INSERT INTO public.derived (symbol, timeframe, ts, close) "
            f"VALUES ('DXY', '1m', {minute('2026-05-01', n)}, {n})",
            f"UPDATE public.derived SET close = {n} WHERE symbol = 'DXY' AND deleted_at IS NULL "
            f"AND ts = {minute('2026-03-02 08:00', n * 37)}",
        )

    jobs.undo(dxy.job, 4, "copy", "forward_on", reporter=jobs.Heard(between=write))
    rounds = next(number)
    assert rounds > 10
    assert rows(dxy, COPIES) == []
    assert len(rows(dxy, LIVE)) == 980 + rounds
    assert ours(dxy) == []


@pytest.mark.parametrize("beats", [3, 6, 9])
def test_in_mid_cleanup_exactly_the_retired_rows_come_back(dxy: World, beats: int) -> None:
    before = rows(dxy, SOURCE)
    moved(dxy)
    with pytest.raises(StopRequested):
        jobs.apply(dxy.job, 9, "retire", reporter=stopped_after(beats))
    jobs.undo(dxy.job, 9, "retire")
    assert rows(dxy, SOURCE) == before
    assert verify(dxy).clean
    assert len(ours(dxy)) == 8
    rolled_back(dxy, phases=(5, 4))
    assert rows(dxy, SOURCE) == before
    assert rows(dxy, COPIES) == []


def test_after_completion_nothing_written_since_is_lost(dxy: World) -> None:
    before: dict[Any, float] = dict(rows(dxy, LIVE))
    withdrawn = [row for row in rows(dxy, SOURCE) if row[-1] is not None]
    cleaned(dxy)
    app(dxy, INSERTED, CORRECTED, REMOVED)
    rolled_back(dxy, phases=ALL)
    expected = {str(ts): close for ts, close in before.items()}
    expected |= {"2026-07-01 00:00:00+00:00": 70.0, "2026-03-02 10:00:00+00:00": 71.0}
    del expected["2026-03-02 11:00:00+00:00"]
    assert {str(ts): close for ts, close in rows(dxy, LIVE)} == expected
    assert rows(dxy, DUPLICATES) == []
    assert [row for row in rows(dxy, SOURCE) if row in withdrawn] == withdrawn
    assert rows(dxy, COPIES) == []
    assert ours(dxy) == []


def test_revived_rows_are_the_very_rows_that_retired(dxy: World) -> None:
    before = rows(dxy, SOURCE)
    cleaned(dxy)
    jobs.undo(dxy.job, 9, "retire")
    assert rows(dxy, SOURCE) == before
    with dxy.runner() as conn:
        assert retire.gone_rows(conn, dxy.shape()) == 0


def test_after_completion_dual_write_is_on_again_while_new_code_still_writes(dxy: World) -> None:
    cleaned(dxy)
    number = itertools.count()

    def write() -> None:
        n = next(number)
        app(
            dxy,
            "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) VALUES "
            f"('DXY', '1m', {minute('2026-06-01', n)}, {n}, 'x', '{{}}')",
            f"UPDATE public.bars SET close = {n} WHERE symbol = 'DXY' "
            f"AND ts = {minute('2026-03-02 08:00', n * 41)}",
            f"DELETE FROM public.bars WHERE symbol = 'DXY' AND ts = {minute('2026-03-02 08:00', n * 43 + 1)}",
        )

    jobs.undo(dxy.job, 9, "retire", reporter=jobs.Heard(between=write))
    write()
    jobs.apply(dxy.job, 4, "verify")
    assert next(number) > 20
    found = verify(dxy)
    assert found.clean
    assert found.pending == 0
    assert rows(dxy, LIVE) == rows(dxy, COPIES)
    assert rows(dxy, DUPLICATES) == []


def test_a_row_that_old_code_wrote_after_cleanup_stays(dxy: World) -> None:
    cleaned(dxy)
    app(
        dxy,
        "INSERT INTO public.derived (symbol, timeframe, ts, close) "
        "VALUES ('DXY', '1m', '2026-08-01 00:00:00+00', 80)",
    )
    jobs.undo(dxy.job, 9, "retire")
    assert verify(dxy).clean
    assert rows(dxy, "SELECT close FROM public.derived WHERE ts = '2026-08-01'") == [(80.0,)]
    rolled_back(dxy, phases=(5, 4))
    assert rows(dxy, "SELECT close FROM public.derived WHERE ts = '2026-08-01'") == [(80.0,)]


def test_a_worker_killed_while_reviving_is_followed_by_one_that_finishes(dxy: World) -> None:
    before = rows(dxy, SOURCE)
    cleaned(dxy)
    with slow(dxy, "public.derived", "UPDATE", seconds=60, when="NEW.close = 100.5"):
        worker = copy_worker.start_rollback(dxy.job)
        wait_for(dxy, SLEEPING)
        copy_worker.kill(worker)
        wait_for(dxy, f"SELECT WHERE NOT EXISTS ({SLEEPING})")
    live = len(rows(dxy, LIVE))
    assert 0 < live < 980
    jobs.undo(dxy.job, 9, "retire")
    assert rows(dxy, SOURCE) == before
    assert verify(dxy).clean


def test_deleted_rows_come_back_with_their_images(orders: World) -> None:
    query = "SELECT * FROM shop.old_order ORDER BY customer, code"
    before = rows(orders, query)
    cleaned(orders)
    assert rows(orders, query) == []
    app(
        orders,
        "UPDATE shop.new_order SET amount = 7 WHERE (client, code) = (3, 'c3')",
        "DELETE FROM shop.new_order WHERE (client, code) = (4, 'c4')",
        NEW_ORDER,
    )
    rolled_back(orders, phases=ALL)
    after = {row[:2]: row[2:] for row in rows(orders, query)}
    expected = {row[:2]: row[2:] for row in before}
    del expected[4, "c4"]
    changed, new = after.pop((3, "c3")), after.pop((900, "new"))
    kept = expected.pop((3, "c3"))
    assert after == expected
    assert (changed[0], changed[1:]) == (7, kept[1:])
    assert new[2:] == ("n", ["t"])
    assert rows(orders, "SELECT FROM shop.new_order") == []


EXISTING = (
    "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) VALUES "
    "('DXY', '1m', '2026-03-02 10:00:00+00', 1, 'wrong', '{\"a\": 1}'), "
    "('DXY', '1m', '2030-01-01 00:00:00+00', 2, 'extra', '{}')"
)
EXISTED = "SELECT id, ts, close, source, raw FROM public.bars WHERE source IN ('wrong', 'extra') ORDER BY ts"


def test_rows_from_before_the_run_come_back_as_they_were(dxy: World) -> None:
    world = dxy.with_move(on_different="overwrite")
    app(world, EXISTING)
    before = rows(world, EXISTED)
    moved(world)
    assert rows(world, EXISTED) == []
    assert verify(world).clean
    rolled_back(world, phases=(5, 4))
    assert rows(world, EXISTED) == before
    assert len(rows(world, COPIES)) == 2


def test_with_keep_a_removed_row_comes_back_and_an_overwritten_one_keeps_the_sources_value(
    dxy: World,
) -> None:
    world = keeping(dxy).with_move(on_different="overwrite")
    app(world, EXISTING)
    moved(world)
    rolled_back(world, phases=(5, 4))
    assert [row[3] for row in rows(world, EXISTED)] == ["extra"]
    assert len(rows(world, COPIES)) == 981


def test_a_target_row_without_its_equal_is_not_deleted_but_named(dxy: World) -> None:
    jobs.apply(dxy.job, 4, *jobs.BACKFILL)
    app(
        dxy,
        "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) "
        "VALUES ('DXY', '1m', '2031-01-01 00:00:00+00', 3, 'somebody', '{}')",
    )
    with pytest.raises(StepFailed, match="ts=2031-01-01 00:00:00") as failed:
        jobs.undo(dxy.job, 4, "copy")
    assert "forward direction" in failed.value.kept
    assert rows(dxy, "SELECT close FROM public.bars WHERE source = 'somebody'") == [(3.0,)]
    assert len(rows(dxy, LIVE)) == 980
    assert len(ours(dxy)) == 5
    app(dxy, "DELETE FROM public.bars WHERE source = 'somebody'")
    jobs.undo(dxy.job, 4, "copy", "forward_on")
    assert rows(dxy, COPIES) == []


def test_before_anything_was_done_there_is_nothing_to_undo(dxy: World) -> None:
    before = rows(dxy, SOURCE)
    jobs.undo(dxy.job, 9, "retire")
    jobs.undo(dxy.job, 4, "copy")
    assert rows(dxy, SOURCE) == before
    assert ours(dxy) == []


def test_an_older_transaction_that_still_writes_is_waited_for(
    dxy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees the target as it was before reverse went on, and deletes a row by what it sees."""
    monkeypatch.setattr(rollback, "PATIENCE_S", 0.2)
    cleaned(dxy)
    nine, four = (replace(dxy.job, phase=phase) for phase in (9, 4))
    with dxy.app(autocommit=False) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM public.bars")
        first = runner.undo_phase(nine, jobs.Heard())
        assert first.status == "waiting"
        assert first.waiting is not None
        assert "app (" in first.waiting.text
        old.execute(REMOVED.encode())
        old.commit()
    assert runner.undo_phase(nine, jobs.Heard()).status == "finished"
    assert rows(dxy, "SELECT FROM public.bars WHERE symbol = 'DXY' AND ts = '2026-03-02 11:00:00+00'") == []
    assert "2026-03-02 11:00:00+00:00" not in {str(ts) for ts, _ in rows(dxy, LIVE)}
    assert len(rows(dxy, LIVE)) == 979
    assert runner.undo_phase(replace(nine, phase=5), jobs.Heard()).status == "finished"
    assert runner.undo_phase(four, jobs.Heard()).status == "finished"
    assert rows(dxy, COPIES) == []


@pytest.mark.parametrize("shape", ["dxy", "orders"])
def test_the_runner_carries_a_whole_move_there_and_back(shape: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(shape)
    source = SOURCE if shape == "dxy" else "SELECT * FROM shop.old_order ORDER BY customer, code"
    before = rows(world, source)
    for phase in (4, 5, 9):
        outcome = runner.run_phase(replace(world.job, phase=phase), jobs.Heard())
        assert outcome.status == "finished", outcome
    assert verify(world).source_rows == 0
    assert ours(world) == []
    for phase in (9, 5, 4):
        outcome = runner.undo_phase(replace(world.job, phase=phase), jobs.Heard())
        assert outcome.status == "finished", outcome
    assert rows(world, source) == before
    assert verify(world).target_rows == 0
    assert ours(world) == []
    assert {row[0] for row in rows(world, "SELECT state FROM phasegate.step")} == {"undone"}


def test_previews_say_how_many_rows_and_change_nothing(dxy: World) -> None:
    before = rows(dxy, SOURCE)
    found = {
        (phase.number, step.key): preview
        for (phase, step), preview in zip(
            ((phase, step) for phase in dxy.job.plan.runbook.phases for step in phase.steps),
            runner.previews(dxy.job.plan, dxy.job.target_url),
            strict=True,
        )
    }
    assert found[4, "copy"].rows == found[9, "retire"].rows == 980
    assert "deleted again" in found[4, "copy"].undo
    moved(dxy)
    there = engine_rollback.preview(dxy.job.plan, run_uid=dxy.job.run_uid, target_url=dxy.job.target_url)
    actions = {(item.phase, item.step): item for item in there.items}
    assert actions[4, "copy"].rows == 980
    assert "each proven equal" in actions[4, "copy"].action
    app(dxy, "INSERT INTO public.derived (symbol, timeframe, ts, close) "
        "VALUES ('DXY', '1m', '2026-03-09 09:00:00+00', 5)")  # fmt: skip
    there = engine_rollback.preview(dxy.job.plan, run_uid=dxy.job.run_uid, target_url=dxy.job.target_url)
    assert {item.step: item.rows for item in there.items}["copy"] == 981  # the mirrored one as well
    app(dxy, "DELETE FROM public.derived WHERE ts = '2026-03-09 09:00:00+00'")
    assert there.obstacles == ()
    jobs.apply(dxy.job, 9, "retire")
    later = engine_rollback.preview(dxy.job.plan, run_uid=dxy.job.run_uid, target_url=dxy.job.target_url)
    assert {(item.phase, item.step): item.rows for item in later.items}[9, "retire"] == 980
    assert rows(dxy, LIVE) == []
    jobs.undo(dxy.job, 9, "retire")
    assert rows(dxy, SOURCE) == before
