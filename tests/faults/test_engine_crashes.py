"""The target's server crashes inside a chunk: no row is lost, none is there twice, and the worker goes on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.move import copier, copy_plan
from tests.faults import intent_world
from tests.faults.intent_world import IntentWorld
from tests.faults.killed_worker import worker
from tests.faults.scene import until
from tests.integration import jobs, moving, stepping, worlds
from tests.integration.stepping import Memory

pytestmark = pytest.mark.faults

SLOW = """
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    IF NEW.id = 150 AND EXISTS (SELECT FROM public.effects) THEN PERFORM pg_sleep(600); END IF;
    RETURN NEW;
END$$;
CREATE TRIGGER slow BEFORE INSERT ON public.new_things FOR EACH ROW EXECUTE FUNCTION public.slow();
INSERT INTO public.effects (what) VALUES ('slow');
"""
IN_CHUNK = "SELECT FROM pg_stat_activity WHERE application_name LIKE 'phasegate/%' AND wait_event = 'PgSleep'"
TWICE = "SELECT count(*) - count(DISTINCT id) FROM public.new_things"


COPIED = "SELECT count(*) FROM public.bars WHERE symbol = 'DXY'"


@pytest.fixture
def world(target_cluster: embedded.Cluster, tmp_path: Path) -> Iterator[IntentWorld]:
    """The run's target on a server of its own."""
    name = f"crashing_{tmp_path.name.replace('-', '_')[-30:].lower()}"
    target = target_cluster.databases.ensure_target(name)
    yield intent_world.make(target, target, tmp_path, Path(target_cluster.pg_bin_dir))
    target_cluster.databases.drop(name)


def in_chunk(target: TargetUrls) -> bool:
    with psycopg.connect(target.runner_url, autocommit=True) as conn:
        return bool(conn.execute(IN_CHUNK.encode()).fetchall())


def test_a_server_that_crashes_inside_a_chunk_is_waited_for_and_the_chunk_copied_once(
    world: IntentWorld, target_cluster: embedded.Cluster
) -> None:
    world.work_until(4)
    stepping.execute(world.target, SLOW)
    with worker(world.next_worker(4)) as process:
        until(lambda: in_chunk(world.target), "a chunk is open")
        target_cluster.crash_postgres()
        target_cluster.start_postgres()
        assert stepping.one(world.target, "SELECT count(*) FROM public.new_things") == 0
        stepping.execute(world.target, "TRUNCATE public.effects")
        assert process.stdout is not None
        assert b"finished" in process.stdout.readline()
    assert stepping.one(world.target, TWICE) == 0
    assert world.stands()["target"] == world.stands()["source"]


def test_a_server_that_crashes_with_the_worker_is_met_by_a_rollback_in_mid_copy(
    world: IntentWorld, target_cluster: embedded.Cluster
) -> None:
    before = world.stands()
    world.work_until(4)
    stepping.execute(world.target, SLOW)
    with worker(world.next_worker(4)):
        until(lambda: in_chunk(world.target), "a chunk is open")
        target_cluster.crash_postgres()
    target_cluster.start_postgres()
    stepping.execute(world.target, "TRUNCATE public.effects; DROP FUNCTION public.slow() CASCADE")
    assert runner.undo_phase(world.next_worker(4), Memory()).status == "finished"
    world.undo()
    assert world.stands() == before


@pytest.fixture
def lazy_target(target_cluster: embedded.Cluster) -> Iterator[TargetUrls]:
    """A target whose server writes as late as it can what nobody waits for."""
    settings = ("wal_writer_delay", "wal_writer_flush_after")
    with psycopg.connect(target_cluster.superuser_dsn(), autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        conn.execute("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
        conn.execute("SELECT pg_reload_conf()")
    target = target_cluster.databases.ensure_target("lazy_target")
    yield target
    target_cluster.databases.drop("lazy_target")
    with psycopg.connect(target_cluster.superuser_dsn(), autocommit=True) as conn:
        for name in settings:
            conn.execute(f"ALTER SYSTEM RESET {name}".encode())
        conn.execute("SELECT pg_reload_conf()")


def test_a_crash_that_takes_committed_chunks_takes_their_record_along(
    lazy_target: TargetUrls, target_cluster: embedded.Cluster
) -> None:
    world = jobs.migrating(worlds.dxy_like(lazy_target), initial_rows=100, min_rows=100, max_rows=100)
    jobs.fill_dxy(world, 2000)
    jobs.apply(world.job, 4, "forward_on")
    with world.runner() as conn:
        copy_plan.plan_ranges(conn, world.job, world.shape())
    beats = itertools.count()
    heard = jobs.Heard()
    heard.between = lambda: target_cluster.crash_postgres() if next(beats) == 8 else None
    with pytest.raises(psycopg.OperationalError):
        copier.work(world.job, heard)
    target_cluster.start_postgres()
    with world.runner() as conn:
        left = copy_plan.copied(conn, world.job)
    assert left.chunks < 8, "the last chunk's commit was not waited for"
    assert moving.rows(world, COPIED) == [(left.inserted,)]
    copier.work(world.job, jobs.Heard())
    jobs.apply(world.job, 4, "copy", "settle", "verify")
    assert moving.rows(world, COPIED) == [(1960,)]
    assert moving.verify(world).clean
