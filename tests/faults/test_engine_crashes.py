"""The target's server crashes inside a chunk: no row is lost, none is there twice, and the worker goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from tests.faults import intent_world
from tests.faults.intent_world import IntentWorld
from tests.faults.killed_worker import worker
from tests.faults.scene import until
from tests.integration import stepping
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
