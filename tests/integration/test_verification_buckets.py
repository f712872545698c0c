"""A verification bucket by bucket: nothing escapes it, nothing is counted twice, no snapshot grows old."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from psycopg import conninfo, errors

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import buckets, second_look, snapshots, verification
from migration_runs.engine.move.buckets import Bucket, Compared, Size, Way
from migration_runs.engine.move.parts import Places
from migration_runs.engine.outcome import Verification
from migration_runs.exceptions import EngineError
from tests import standby
from tests.integration import jobs, worlds
from tests.integration.worlds import World

WAY = Way(look_again=False)


@pytest.fixture
def dxy(target: TargetUrls) -> World:
    """1000 minutes of DXY, copied, with forward sync on."""
    world = jobs.migrating(worlds.dxy_like(target))
    jobs.fill_dxy(world, 1000)
    jobs.apply(world.job, 4, "forward_on", "copy")
    return world


@pytest.fixture
def orders(target: TargetUrls) -> World:
    """1000 orders with a composite key, copied, with forward sync on."""
    world = jobs.migrating(worlds.orders_like(target))
    jobs.fill_orders(world, 1000)
    jobs.apply(world.job, 4, "forward_on", "copy")
    return world


def walk(world: World, *todo: Bucket, rows: int = 64, way: Way = WAY) -> list[Compared]:
    size = Size(rows)
    with snapshots.session(world.job.target_url, world.job.plan, world.job.run_uid) as (conn, shape):
        found = []
        for one in buckets.walk(conn, shape, todo or [Bucket()], way=way, size=size):
            found.append(one)
            size.rows = rows  # as if no bucket taught anything
        return found


def total(found: list[Compared], world: World) -> Verification:
    return buckets.added([one.found for one in found], world.shape(), seconds=0.0)


def silently(world: World, *statements: str) -> None:
    """Writes that no trigger sees, from here on: damage."""
    with world.app() as conn:
        for table in (world.move.source, world.move.target):
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        for statement in statements:
            assert conn.execute(statement.encode()).rowcount >= 1


INVENTED = """
INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw)
SELECT 'DXY', '1m', ts, 1, 'synthetic', '{}' FROM unnest(ARRAY[%s]::timestamptz[]) AS ts
"""


@pytest.mark.parametrize("rows", [1, 64, 333, 5000])
def test_buckets_adjoin_and_hold_every_row_once(dxy: World, rows: int) -> None:
    found = walk(dxy, rows=rows)
    assert (total(found, dxy).source_rows, total(found, dxy).target_rows) == (980, 980)
    assert found[0].bucket.lo is None
    assert found[-1].bucket.hi is None
    assert all(one.bucket.hi == after.bucket.lo for one, after in pairwise(found))
    assert all(one.found.source_rows <= rows + 1 for one in found)
    assert total(found, dxy).clean


def test_a_composite_key_is_cut_between_its_parts(orders: World) -> None:
    found = walk(orders, rows=7)
    assert len(found) > 100
    assert (total(found, orders).source_rows, total(found, orders).target_rows) == (1000, 1000)
    assert total(found, orders).clean


@pytest.mark.parametrize(
    "places", ["'1999-01-01 00:00:00+00'", "'2031-01-01 00:00:00+00'", "'2026-03-02 08:00:30+00'"]
)
def test_rows_of_the_target_outside_and_between_the_sources_are_found(dxy: World, places: str) -> None:
    silently(dxy, INVENTED % places)
    assert total(walk(dxy), dxy).extra == 1


def test_a_crowd_that_only_the_target_has_is_cut_by_the_target(dxy: World) -> None:
    """Two adjoining rows of the source, and five hundred of the target between them."""
    with dxy.app() as conn:
        conn.execute("ALTER TABLE public.bars DISABLE TRIGGER ALL")
        conn.execute(
            "INSERT INTO public.bars (symbol, timeframe, ts, close, source, raw) SELECT 'DXY', '1m', "
            "timestamptz '2026-03-02 08:00:01+00' + n * interval '1 millisecond', 1, 'synthetic', '{}' "
            "FROM generate_series(1, 500) AS n"
        )
    found = walk(dxy, rows=20)
    assert total(found, dxy).extra == 500
    assert all(one.found.target_rows <= 20 * buckets.UNEVEN + 1 for one in found)


@pytest.mark.parametrize("number", [1, 500, 999])
def test_one_altered_value_is_found_in_its_bucket_alone(dxy: World, number: int) -> None:
    silently(
        dxy,
        f"UPDATE public.bars SET close = close + 1e-9 WHERE symbol = 'DXY' AND close = 100 + {number}/1000.0",
    )
    found = [one for one in walk(dxy, rows=50) if not one.found.clean]
    assert [one.found.different for one in found] == [1]
    assert found[0].found.examples[0].columns == ("close",)


def test_a_stored_bucket_is_compared_as_it_is_and_a_rest_goes_on_where_it_was_left(dxy: World) -> None:
    """What a worker left behind that was killed after its second bucket."""
    whole = walk(dxy, rows=300)
    left = whole[1].rest
    assert left is not None
    again = walk(dxy, left, rows=300)
    assert [one.bucket for one in again] == [one.bucket for one in whole[2:]]
    stored = walk(dxy, *(one.bucket for one in whole), rows=10)
    assert [one.bucket for one in stored] == [one.bucket for one in whole]


@contextmanager
def cancelled_above(monkeypatch: pytest.MonkeyPatch, rows: int) -> Iterator[list[int]]:
    """The server gives up comparing more than so many rows, as where a snapshot becomes too old."""
    real, refused = buckets._compare, []

    def compare(conn: Any, shape: Any, part: Any, way: Way) -> Any:
        found, digest = real(conn, shape, part, way)
        if found.source_rows > rows:
            refused.append(found.source_rows)
            raise errors.QueryCanceled
        return found, digest

    with monkeypatch.context() as patch:
        patch.setattr(buckets, "_compare", compare)
        yield refused


def test_a_bucket_whose_snapshot_would_grow_old_is_cut_until_it_fits(
    dxy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        cancelled_above(monkeypatch, 100) as refused,
        snapshots.session(dxy.job.target_url, dxy.job.plan, dxy.job.run_uid) as (conn, shape),
    ):
        found = list(buckets.walk(conn, shape, [Bucket(rows=980)], way=WAY, size=Size(900)))
    assert refused
    assert max(one.found.source_rows for one in found) <= 100
    assert total(found, dxy).source_rows == 980
    assert total(found, dxy).clean


def test_rows_that_cannot_be_compared_in_time_are_an_error_that_names_their_place(
    dxy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cancelled_above(monkeypatch, 0), pytest.raises(EngineError, match="after the beginning cannot be"):
        walk(dxy)


def test_the_server_ends_a_comparison_that_outlives_its_time(dxy: World) -> None:
    with snapshots.session(dxy.job.target_url, dxy.job.plan, dxy.job.run_uid) as (conn, _):
        with pytest.raises(errors.QueryCanceled), snapshots.snapshot(conn, timeout_s=0.2) as look:
            look.rows("SELECT pg_sleep(600)")
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_texts_of_different_collations_are_cut_byte_by_byte(target: TargetUrls) -> None:
    """'a', 'B', 'c' here, 'B', 'a', 'c' there: a bound must mean the same rows on both sides."""
    world = jobs.migrating(worlds.orders_like(target))
    with world.app() as conn:
        conn.execute('ALTER TABLE shop.new_order ALTER code TYPE text COLLATE "C"')
    jobs.fill_orders(world, 30)
    with world.app() as conn:
        conn.execute("UPDATE shop.old_order SET code = upper(code) WHERE code > 'c4'")
    jobs.apply(world.job, 4, "forward_on", "copy")
    with world.runner() as conn:
        places = Places.of(conn, world.shape())
        assert 'COLLATE "C"' in places.source.by.as_string(conn)
        assert 'COLLATE "C"' in places.target.by.as_string(conn)
    found = walk(world, rows=2)
    assert len(found) > 8
    assert total(found, world).source_rows == 30
    assert total(found, world).clean


# -- the second look


def test_a_difference_that_is_gone_at_the_second_look_is_told_but_no_alarm(
    dxy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    silently(dxy, "UPDATE public.bars SET vol = 7 WHERE symbol = 'DXY' AND close > 100.998")

    def heal(_: float) -> None:
        silently(
            dxy,
            "UPDATE public.bars AS b SET vol = d.vol FROM public.derived AS d "
            "WHERE b.symbol = 'DXY' AND d.symbol = 'DXY' AND d.timeframe = '1m' AND d.ts = b.ts "
            "AND b.vol = 7 AND b.close > 100.9995",
        )

    monkeypatch.setattr(time, "sleep", heal)
    found = total(walk(dxy, way=Way(look_again=True)), dxy)
    assert (found.different, found.vanished, found.source_rows) == (1, 1, 980)
    assert [example.key["ts"] for example in found.examples] == ["2026-03-03 00:39:00+00"]


def test_more_differences_than_are_looked_up_one_by_one_are_compared_again(
    dxy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_look, "MOST_KEYS", 5)
    silently(dxy, "UPDATE public.bars SET vol = -1 WHERE symbol = 'DXY'")
    found = total(walk(dxy, rows=400, way=Way(look_again=True)), dxy)
    assert (found.different, found.vanished, found.source_rows) == (980, 0, 980)
    assert len(found.examples) == snapshots.EXAMPLES


# -- keys that wait to be drained


@pytest.mark.parametrize(("ago", "clean"), [("10 seconds", True), ("1 hour", False)])
def test_a_key_that_waits_to_be_drained_is_lag_only_for_a_while(dxy: World, ago: str, clean: bool) -> None:
    silently(dxy, "UPDATE public.bars SET vol = 7 WHERE symbol = 'DXY' AND close = 100.5")
    with dxy.runner() as conn:
        conn.execute(
            f"INSERT INTO phasegate.{dxy.shape().prefix}touched (side, at, k1, k2, k3) SELECT 'source', "
            f"clock_timestamp() - %s::interval, symbol, timeframe, ts FROM public.bars "
            "WHERE symbol = 'DXY' AND vol = 7".encode(),
            (ago,),
        )
    found = total(walk(dxy, way=Way(look_again=True)), dxy)
    assert (found.pending, found.differing, found.clean) == (1, 0, clean)
    assert found.overdue == (0 if clean else 1)
    assert found.pending_s > 5


# -- digests


def test_equal_sides_have_equal_digests_and_a_change_changes_them(dxy: World) -> None:
    way = Way(digests=True)
    before = [one.digest for one in walk(dxy, rows=300, way=way)]
    assert None not in before
    assert sum(digest.rows for digest in before if digest) == 980
    assert [one.digest for one in walk(dxy, rows=300, way=way)] == before
    with dxy.app() as conn:
        conn.execute("UPDATE public.derived SET close = close + 1e-9 WHERE symbol = 'DXY' AND close = 100.5")
    after = [one.digest for one in walk(dxy, rows=300, way=way)]
    assert sum(left != right for left, right in zip(before, after, strict=True)) == 1


def test_where_digests_differ_the_rows_are_compared(dxy: World) -> None:
    silently(dxy, "UPDATE public.bars SET close = close + 1e-9 WHERE symbol = 'DXY' AND close = 100.5")
    found = walk(dxy, rows=300, way=Way(digests=True))
    assert [one.digest is None for one in found].count(True) == 1
    assert total(found, dxy).different == 1


def test_rows_that_changed_places_do_not_cancel_each_other(dxy: World) -> None:
    """Two equal pairs would vanish from an exclusive or; a sum keeps them."""
    silently(
        dxy,
        "UPDATE public.bars SET vol = 3 WHERE symbol = 'DXY' AND close IN (100.5, 100.501)",
        "UPDATE public.derived SET vol = 3 WHERE symbol = 'DXY' AND close = 100.5",
    )
    assert total(walk(dxy, way=Way(digests=True)), dxy).different == 1


# -- where


def test_a_lagging_standby_is_refused_in_plain_words(dxy: World, cluster: embedded.Cluster) -> None:
    """Its rows are as old as its replay: a difference seen there would say nothing."""
    with standby.of(cluster) as following:
        following.caught_up()
        following.pause_replay()
        url = conninfo.make_conninfo(dxy.job.target_url, port=following.server.port)
        with pytest.raises(EngineError, match="the target is a standby"):
            verification.verify(url, dxy.job.plan, dxy.job.run_uid)
        following.resume_replay()


def test_a_range_is_compared_alone(dxy: World) -> None:
    silently(dxy, "UPDATE public.bars SET vol = 7 WHERE symbol = 'DXY' AND close = 100.5")
    ends = {"lo": ("2026-03-02 10:00:00+00",), "hi": ("2026-03-02 11:00:00+00",)}
    job = dxy.job
    found = verification.verify_range(job.target_url, job.plan, job.run_uid, lo=ends["lo"], hi=ends["hi"])
    assert (found.clean, found.source_rows) == (True, 59)
