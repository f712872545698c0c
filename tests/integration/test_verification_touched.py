"""What was touched is compared first: noted by the drain, forgotten only when it was found equal."""

from __future__ import annotations

from typing import Any

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import drain, run_tables, second_look, touched, verification
from migration_runs.engine.move.touched import Looked
from tests.integration import jobs, worlds
from tests.integration.worlds import World

KEY = ("DXY", "1m", "2026-03-02 08:30:00+00")
ROW = "symbol = 'DXY' AND timeframe = '1m' AND ts = '2026-03-02 08:30:00+00'"
LATER = "timestamptz '2026-03-09 00:00:00+00'"


@pytest.fixture
def dxy(target: TargetUrls) -> World:
    """1000 minutes of DXY, copied, with forward sync on, and a first look taken."""
    world = jobs.migrating(worlds.dxy_like(target))
    jobs.fill_dxy(world, 1000)
    jobs.apply(world.job, 4, "forward_on", "copy", "settle")
    assert look(world).found.clean
    return world


@pytest.fixture(autouse=True)
def short_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end that is always compared is ten rows long, so that it hides nothing."""
    monkeypatch.setattr(touched, "TAIL_ROWS", 10)


def look(world: World, tail: Any = None) -> Looked:
    return touched.verify(world.job, tail=tail)


def app(world: World, statement: str) -> None:
    with world.app() as conn:
        conn.execute(statement.encode())


def settle(world: World) -> None:
    with world.runner() as conn:
        drain.settle(conn, world.job, world.shape())


def noted(world: World) -> list[tuple[str, ...]]:
    shape = world.shape()
    with world.runner() as conn:
        query = f"SELECT k1, k2, k3::text FROM {shape.dirty.as_string()} ORDER BY k3"
        return [tuple(row) for row in conn.execute(query.encode()).fetchall()]


def damage(world: World, statement: str) -> None:
    """A write that no trigger sees."""
    app(
        world,
        "ALTER TABLE public.bars DISABLE TRIGGER USER; ALTER TABLE public.derived DISABLE TRIGGER USER;"
        f"{statement};"
        "DO $$ DECLARE t record; BEGIN FOR t IN SELECT tgname, tgrelid::regclass AS of FROM pg_trigger "
        "WHERE NOT tgisinternal AND tgname LIKE 'phasegate%' LOOP "
        "EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.of, t.tgname); END LOOP; END $$",
    )


def test_a_drained_key_is_noted_compared_and_forgotten(dxy: World) -> None:
    app(dxy, f"UPDATE derived SET close = 7 WHERE {ROW} AND deleted_at IS NULL")
    assert noted(dxy) == []
    settle(dxy)
    assert noted(dxy) == [KEY]
    seen = look(dxy)
    assert (seen.keys, seen.found.clean) == (1, True)
    assert noted(dxy) == []


def test_a_drain_that_is_rolled_back_notes_nothing_and_keeps_its_list(dxy: World) -> None:
    app(dxy, f"UPDATE derived SET close = 7 WHERE {ROW} AND deleted_at IS NULL")
    shape = dxy.shape()
    with dxy.runner() as conn, conn.transaction(force_rollback=True):
        drain.apply(conn, shape, [KEY])
    assert noted(dxy) == []
    assert dxy.listed(shape) == ["source"]


def test_a_noted_key_that_differs_is_found_and_stays_noted_until_it_is_equal(dxy: World) -> None:
    app(dxy, f"UPDATE derived SET close = 7 WHERE {ROW} AND deleted_at IS NULL")
    settle(dxy)
    damage(dxy, f"UPDATE bars SET close = 7.000000001 WHERE {ROW}")
    for _ in range(2):
        seen = look(dxy)
        assert (seen.found.different, seen.keys) == (1, 0)
        assert seen.found.examples[0].columns == ("close",)
        assert noted(dxy) == [KEY]
    damage(dxy, f"UPDATE bars SET close = 7 WHERE {ROW}")
    assert look(dxy).found.clean
    assert noted(dxy) == []


def test_a_key_that_is_noted_again_behind_the_comparison_is_compared_again(
    dxy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forgotten are notes of drains that the comparison has seen, never of later ones."""
    app(dxy, f"UPDATE derived SET close = 7 WHERE {ROW} AND deleted_at IS NULL")
    settle(dxy)
    real = second_look.compare

    def compare(*given: Any, **more: Any) -> Any:
        found = real(*given, **more)
        app(dxy, f"UPDATE derived SET close = 8 WHERE {ROW} AND deleted_at IS NULL")
        settle(dxy)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(second_look, "compare", compare)
        assert look(dxy).keys == 0
    assert noted(dxy) == [KEY]


def test_many_keys_go_in_batches(dxy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touched, "BATCH", 100)
    app(dxy, "UPDATE derived SET close = close + 1 WHERE symbol = 'DXY' AND timeframe = '1m'")
    settle(dxy)
    assert len(noted(dxy)) == 980
    damage(dxy, f"UPDATE bars SET close = 0 WHERE {ROW}")
    seen = look(dxy)
    assert (seen.keys, seen.found.different) == (880, 1)
    assert len(noted(dxy)) == 100


def test_a_key_that_was_noted_and_lies_at_the_end_counts_once(dxy: World) -> None:
    app(dxy, "UPDATE derived SET close = 7 WHERE symbol = 'DXY' AND close > 100.9995")
    settle(dxy)
    damage(dxy, "UPDATE bars SET close = 8 WHERE symbol = 'DXY' AND close = 7")
    seen = look(dxy)
    assert (seen.found.different, seen.found.source_rows) == (1, 10)
    assert len(noted(dxy)) == 1


def test_new_rows_at_the_end_are_compared_however_many_came(dxy: World) -> None:
    seen = look(dxy)
    assert seen.tail == ("2026-03-03 00:40:00+00",)
    assert seen.found.source_rows == 10
    app(
        dxy,
        "INSERT INTO derived (symbol, timeframe, ts, close, vol, quality) "
        f"SELECT 'DXY', '1m', {LATER} + n * interval '1 minute', 1, n, 2 FROM generate_series(1, 300) AS n",
    )
    damage(dxy, f"UPDATE bars SET close = 2 WHERE symbol = 'DXY' AND ts = {LATER} + interval '3 minutes'")
    late = look(dxy, tail=seen.tail)
    assert (late.found.source_rows, late.found.different) == (310, 1)
    assert late.tail == seen.tail, "an end that is not equal is looked at again"


def test_a_new_row_in_the_middle_whose_copy_is_wrong_is_the_full_passs_to_find(dxy: World) -> None:
    """It leaves no note, since dual-write lists keys that lived before; the docs say so."""
    app(dxy, "DELETE FROM derived WHERE symbol = 'DXY' AND close = 100.1")
    settle(dxy)
    look(dxy)
    app(
        dxy,
        "INSERT INTO derived (symbol, timeframe, ts, close, vol, quality) "
        "VALUES ('DXY', '1m', '2026-03-02 09:40:00+00', 100.1, 1, 2)",
    )
    damage(dxy, "UPDATE bars SET close = 0 WHERE symbol = 'DXY' AND ts = '2026-03-02 09:40:00+00'")
    job = dxy.job
    assert verification.verify(job.target_url, job.plan, job.run_uid).different == 1


def test_a_run_from_before_notes_gets_its_table_with_the_next_drain(dxy: World) -> None:
    shape = dxy.shape()
    with dxy.runner() as conn:
        conn.execute(f"DROP TABLE {shape.dirty.as_string()}".encode())
        assert not run_tables.complete(conn, shape)
    assert look(dxy).keys == 0
    app(dxy, f"UPDATE derived SET close = 7 WHERE {ROW} AND deleted_at IS NULL")
    settle(dxy)
    assert noted(dxy) == [KEY]
