"""Between intent, effect and record of every step: the worker is killed there, and nothing is guessed.

A successor finishes what was begun, once; or everything is undone and the target is as it was before the run.
``PHASEGATE_FAULTS=all`` kills in every gap; without it each step is killed in the one before its record,
where its effect is there and nothing says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from tests.faults import intent_world
from tests.faults.intent_world import PHASES, UNDOABLE, IntentWorld
from tests.faults.killed_worker import GAPS, Gap, killed_at, worker
from tests.integration import stepping
from tests.integration.stepping import Memory

pytestmark = pytest.mark.faults

ALL = os.environ.get("PHASEGATE_FAULTS") == "all"
CHOSEN: tuple[Gap, ...] = GAPS if ALL else ("inside",)


@pytest.fixture
def world(target: TargetUrls, scratch: TargetUrls, tmp_path: Path, cluster: embedded.Cluster) -> IntentWorld:
    return intent_world.make(target, scratch, tmp_path, Path(cluster.pg_bin_dir))


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60  # only so that a broken program fails instead of hanging
    while not condition():
        assert time.monotonic() < deadline, f"never came to pass: {what}"
        time.sleep(0.02)


@pytest.mark.parametrize("gap", CHOSEN)
@pytest.mark.parametrize("step", PHASES)
def test_a_successor_finishes_what_was_begun_and_a_rollback_takes_all_of_it_back(
    world: IntentWorld, step: str, gap: Gap
) -> None:
    phase, before = PHASES[step], world.stands()
    world.work_until(phase)
    killed_at(world.next_worker(phase), step=step, gap=gap)
    world.work(phase)
    after = world.stands()
    assert after == expected_after(before, phase)
    world.undo()
    assert world.stands() == before


@pytest.mark.parametrize("gap", CHOSEN)
@pytest.mark.parametrize("step", PHASES)
def test_what_was_begun_is_undone_without_being_finished(world: IntentWorld, step: str, gap: Gap) -> None:
    phase, before = PHASES[step], world.stands()
    world.work_until(phase)
    killed_at(world.next_worker(phase), step=step, gap=gap)
    world.undo()
    assert world.stands() == before


@pytest.mark.parametrize("gap", CHOSEN)
@pytest.mark.parametrize("step", UNDOABLE)
def test_an_undo_that_was_killed_is_finished_by_the_next_worker(
    world: IntentWorld, step: str, gap: Gap
) -> None:
    phase, before = PHASES[step], world.stands()
    world.work_until(phase)
    world.work(phase)
    killed_at(world.next_worker(phase), step=step, gap=gap, undo=True)
    world.undo()
    assert world.stands() == before


def mirrors(what: str, *which: str) -> list[str]:
    """Our triggers of one kind, as ``stands`` lists them."""
    names = which or ("delete", "insert", "update")
    return [f'{{"name":"phasegate_r_things_{what}_{each}"}}' for each in names]


def expected_after(before: dict[str, Any], phase: int) -> dict[str, Any]:
    """What must stand after a phase, said from what stood before the run."""
    made = dict(before)
    if phase >= 2:
        made["indexes"] = sorted([*made["indexes"], '{"relname":"unique_body","indisvalid":true}'])
    if phase >= 3:
        made["reader"] = [row.replace("old", "new") for row in before["reader"]]
        kept = [row for row in made["indexes"] if "of_old" not in row]
        made["indexes"] = sorted([*kept, '{"relname":"by_body","indisvalid":true}'])
    if phase >= 4:
        made["target"] = before["source"]
        made["triggers"] = [*mirrors("forward"), *mirrors("guard", "source", "target")]
    if phase >= 5:
        made["triggers"] += mirrors("reverse")
    if phase == 9:
        made["source"] = made["triggers"] = []
    return made


def test_an_index_that_was_there_before_is_neither_taken_for_ours_nor_dropped(world: IntentWorld) -> None:
    stepping.execute(world.target, "CREATE INDEX by_body ON public.new_things (body)")
    before = world.stands()
    world.work(2)
    for _ in range(2):  # the second try knows that the step was begun
        outcome = runner.run_phase(world.next_worker(3), Memory())
        assert outcome.status == "failed"
        assert "already exists" in outcome.error
    world.undo()
    assert world.stands() == before


def test_a_dump_that_was_cut_off_is_made_anew_and_no_part_of_it_stays(world: IntentWorld) -> None:
    with psycopg.connect(world.target.owner_url) as holder:
        holder.execute("LOCK TABLE public.old_things IN ACCESS EXCLUSIVE MODE")
        with worker(world.next_worker(1)):
            until(lambda: parts(world), "a dump has begun")
    assert parts(world), "the kill came too late"
    world.work(1)
    assert not parts(world)
    assert list(Path(world.job.backup_dir).rglob("*.dump"))


def test_a_rollback_removes_half_a_dump(world: IntentWorld) -> None:
    with psycopg.connect(world.target.owner_url) as holder:
        holder.execute("LOCK TABLE public.old_things IN ACCESS EXCLUSIVE MODE")
        with worker(world.next_worker(1)):
            until(lambda: parts(world), "a dump has begun")
    world.undo()
    assert not parts(world)


def parts(world: IntentWorld) -> list[Path]:
    return list(Path(world.job.backup_dir).rglob("*.partial"))


SLOW_RESTORE = """
CREATE SCHEMA phasegate_scratch;
CREATE TABLE phasegate_scratch.slow ();
GRANT USAGE ON SCHEMA phasegate_scratch TO PUBLIC;
GRANT SELECT ON phasegate_scratch.slow TO PUBLIC;
INSERT INTO phasegate_scratch.slow DEFAULT VALUES;
CREATE FUNCTION phasegate_scratch.slowly() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
    IF EXISTS (SELECT FROM phasegate_scratch.slow) THEN PERFORM pg_sleep(600); END IF;
END$$;
CREATE EVENT TRIGGER slowly ON ddl_command_start WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION phasegate_scratch.slowly();
"""
RESTORING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name LIKE '%/restore-%' AND wait_event = 'PgSleep'"
)


def test_a_restore_that_outlives_its_worker_is_ended_before_the_next_one_begins(
    world: IntentWorld, scratch: TargetUrls, cluster: embedded.Cluster
) -> None:
    name = conninfo.conninfo_to_dict(scratch.owner_url)["dbname"]
    with psycopg.connect(cluster.superuser_dsn(str(name)), autocommit=True) as admin:

        def restoring() -> int:
            row = admin.execute(RESTORING.encode()).fetchone()
            return int(row[0]) if row else 0

        admin.execute(SLOW_RESTORE.encode())
        with worker(world.next_worker(1)):
            until(restoring, "pg_restore inside a statement")
        assert restoring() == 1, "pg_restore ended with its worker: this test shows nothing"
        admin.execute("DELETE FROM phasegate_scratch.slow")
        memory = world.work(1)
        assert restoring() == 0
    assert any("a killed worker was restoring" in line for line in memory.logs)


def test_a_worker_killed_between_the_two_tables_of_dual_write_is_followed_by_one_that_guards_both(
    world: IntentWorld,
) -> None:
    before = world.stands()
    world.work_until(4)
    with psycopg.connect(world.target.owner_url) as holder:
        holder.execute("LOCK TABLE public.new_things IN ROW EXCLUSIVE MODE")
        with worker(world.next_worker(4)):
            until(lambda: len(world.stands()["triggers"]) == 4, "triggers on the source")
    assert len(world.stands()["triggers"]) == 4, "the kill came too late"
    world.work(4)
    assert len(world.stands()["triggers"]) == 5
    world.undo()
    assert world.stands() == before


def test_a_worker_killed_while_it_waits_for_older_transactions_is_followed_by_one_that_waits_for_the_same(
    world: IntentWorld,
) -> None:
    world.work_until(4)
    with psycopg.connect(world.target.owner_url) as older:
        older.execute("INSERT INTO effects (what) VALUES ('older')")
        with worker(world.next_worker(4)):
            until(lambda: line_of(world), "a line drawn")
        line = line_of(world)
        outcome = runner.run_phase(world.next_worker(4), Memory(stop=False))
        assert outcome.status == "waiting", outcome
        assert line_of(world) == line
    world.work(4)


def line_of(world: IntentWorld) -> Any:
    query = "SELECT details->'barrier' FROM phasegate.step WHERE step_key = 'settle'"
    with psycopg.connect(world.target.runner_url) as conn:
        row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_a_worker_killed_in_the_last_transaction_of_cleanup_has_taken_nothing_off(world: IntentWorld) -> None:
    """It waits for both tables, a reader holds one of them."""
    before = world.stands()
    world.work_until(9)
    with psycopg.connect(world.target.owner_url) as reader:
        reader.execute("SELECT FROM public.new_things LIMIT 1")
        with worker(world.next_worker(9)):
            until(lambda: not world.stands()["source"], "every row retired")
            until(lambda: waits_for_lock(world), "the last transaction")
    assert len(world.stands()["triggers"]) > 0
    world.work(9)
    assert world.stands() == expected_after(before, 9)
    world.undo()
    assert world.stands() == before


def waits_for_lock(world: IntentWorld) -> bool:
    query = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%'"
    with psycopg.connect(world.target.runner_url) as conn:  # who may see what others execute
        return bool(conn.execute(query.encode()).fetchall())


def by_name(world: IntentWorld, name: str) -> list[Any]:
    """The index of that name as ``stands`` lists it."""
    return [row for row in world.stands()["indexes"] if f'"{name}"' in row]


def statements_outside(world: IntentWorld) -> list[Any]:
    """Sessions whose statement is one that no transaction can hold."""
    query = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%INDEX CONCURRENTLY%'"
    with psycopg.connect(world.target.runner_url) as conn:  # who may see what others execute
        return conn.execute((query + " AND pid <> pg_backend_pid()").encode()).fetchall()


@pytest.mark.parametrize(
    ("step", "name", "table"),
    [("index", "by_body", "new_things"), ("has_index", "unique_body", "old_things")],
)
def test_a_build_that_was_killed_and_left_its_index_invalid_is_rolled_back_without_a_trace(
    world: IntentWorld, step: str, name: str, table: str
) -> None:
    """The build is inside its statement: the index is there, and waits for a writer who is older."""
    phase, before = PHASES[step], world.stands()
    world.work_until(phase)
    with psycopg.connect(world.target.owner_url) as writer:
        writer.execute(f"LOCK TABLE public.{table} IN ROW EXCLUSIVE MODE".encode())
        with worker(world.next_worker(phase)):
            until(lambda: by_name(world, name), "an index that is being built")
        until(lambda: not statements_outside(world), "the server noticed that its client is gone")
    assert by_name(world, name) == [f'{{"relname":"{name}","indisvalid":false}}'], "the kill came too late"
    world.undo()
    assert world.stands() == before


@pytest.mark.parametrize("undo", [False, True])
def test_a_dropped_index_that_was_killed_half_way_is_whole_again_after_the_rollback(
    world: IntentWorld, undo: bool
) -> None:
    """Dropping, or building again: both leave the index invalid, and a rollback has it valid."""
    before, phase = world.stands(), PHASES["unindex"]
    world.work_until(phase)
    if undo:
        world.work(phase)
    invalid = ['{"relname":"of_old","indisvalid":false}']
    with psycopg.connect(world.target.owner_url) as writer:
        writer.execute("LOCK TABLE public.old_things IN ROW EXCLUSIVE MODE")
        with worker(world.next_worker(phase), undo=undo):
            until(lambda: by_name(world, "of_old") == invalid, "an index that is half dropped or half built")
        until(lambda: not statements_outside(world), "the server noticed that its client is gone")
    assert by_name(world, "of_old") == invalid, "the kill came too late"
    world.undo()
    assert world.stands() == before
