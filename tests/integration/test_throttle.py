"""The copy waits for what really happens on a server, follows people's changes, and pauses where it must."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from functools import partial

import psycopg
import pytest

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import copier, load, seats
from migration_runs.exceptions import StepFailed, StopRequested
from tests import plans, standby
from tests.integration import jobs, worlds
from tests.integration.jobs import copying
from tests.integration.moving import app, rows, slow, verify, wait_for
from tests.integration.sessions import Background, wait_blocked, wait_until
from tests.integration.worlds import World


@pytest.fixture
def dxy(target: TargetUrls) -> World:
    """2000 minutes of DXY, not yet planned."""
    world = worlds.dxy_like(target)
    jobs.fill_dxy(world, 2000)
    return world


def bounded(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "min": low, "max": high}


def test_a_standby_that_applies_nothing_is_waited_for_until_it_does(
    cluster: embedded.Cluster, dxy: World
) -> None:
    world = copying(dxy, max_replication_lag_s=0.3)
    heard = jobs.Heard()
    slowly = slow(world, "public.bars", "INSERT", seconds=0.1, when="extract(minute FROM NEW.ts) = 30")
    with slowly, standby.of(cluster) as following:
        following.pause_replay()
        work = Background(lambda: copier.work(world.job, heard))
        wait_until(lambda: len(heard.waits) >= 3, what="the copy waits")
        assert work.running()
        following.resume_replay()
        work.result()
    note, _ = heard.waits[-1]
    assert note.startswith("the standby standby is ")
    assert note.endswith(" s behind (limit 0.3)")
    assert max(waited_s for _, waited_s in heard.waits) > 0
    assert heard.progresses[-1] == (1960, 1960, "")
    assert verify(world).clean


def test_a_slot_that_nobody_reads_is_waited_for(cluster: embedded.Cluster, dxy: World) -> None:
    world = copying(dxy, max_slot_mb=1)
    heard = jobs.Heard()
    with psycopg.connect(cluster.superuser_dsn(), autocommit=True) as conn:
        conn.execute("SELECT pg_create_physical_replication_slot('left', true)")
        try:
            conn.execute("SELECT pg_logical_emit_message(false, 'bulk', repeat('x', 2000000), true)")
            work = Background(lambda: copier.work(world.job, heard))
            wait_until(lambda: bool(heard.waits), what="the copy waits")
            assert "the replication slot left keeps " in heard.waits[0][0]
        finally:
            conn.execute("SELECT pg_drop_replication_slot('left')")
        work.result()
    assert verify(world).clean


def test_wal_per_second_of_the_whole_server_is_waited_for_until_it_falls(dxy: World) -> None:
    world = copying(dxy, max_wal_mb_s=2)
    heard = jobs.Heard()
    noise = psycopg.connect(world.job.target_url, autocommit=True)

    def others_write() -> None:
        if len(heard.waits) < 3:
            noise.execute("SELECT pg_logical_emit_message(false, 'bulk', repeat('x', 40000000), true)")

    heard.between = others_write
    # Its first chunk takes longer than a rate is the mean of, so that the second look has one.
    one_row = "NEW.ts = timestamptz '2026-03-02 08:30:00+00'"
    with noise, slow(world, "public.bars", "INSERT", seconds=load.RATE_OVER_S + 0.5, when=one_row):
        copier.work(world.job, heard)
    assert len(heard.waits) >= 3
    for note, _ in heard.waits:
        assert re.fullmatch(r"\d+\.\d MB/s of WAL \(limit 2\)", note)
    assert verify(world).clean


def test_only_sessions_that_wait_for_us_count_as_waiters(dxy: World) -> None:
    world = jobs.migrating(dxy)
    with world.runner() as conn:
        looker = load.Looker(conn, world.job)
        with world.app(autocommit=False) as first, world.app() as second:
            first.execute("LOCK TABLE public.bars IN SHARE MODE")
            held_by_others = Background(lambda: second.execute("DELETE FROM public.bars WHERE symbol = 'no'"))
            wait_blocked(conn, second.info.backend_pid)
            assert looker.look(own=False).lock_waiters == 0
            first.rollback()
            held_by_others.result()
        with world.runner() as ours, world.app() as second, ours.transaction():
            ours.execute("LOCK TABLE public.bars IN SHARE MODE")
            held_by_us = Background(lambda: second.execute("DELETE FROM public.bars WHERE symbol = 'no'"))
            wait_blocked(conn, second.info.backend_pid)
            assert looker.look(own=False).lock_waiters == 1
        held_by_us.result()


def test_our_own_sessions_are_no_load_and_others_are(dxy: World) -> None:
    world = jobs.migrating(dxy)
    with world.runner() as conn, world.runner() as ours, world.app() as other:
        looker = load.Looker(conn, world.job)
        sleeps = [Background(partial(c.execute, "SELECT pg_sleep(600)")) for c in (ours, other)]
        wait_for(world, "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' OFFSET 1")
        assert looker.look(own=False).active_sessions == 1
        for session in (ours, other):
            session.cancel_safe()
        for sleep in sleeps:
            with pytest.raises(psycopg.errors.QueryCanceled):
                sleep.result()


def test_the_runbooks_own_query_is_waited_for_and_is_read_only(dxy: World) -> None:
    app(
        dxy,
        "CREATE TABLE public.queue (n int)",
        "ALTER TABLE public.queue OWNER TO bars_owner",
        "INSERT INTO public.queue VALUES (7)",
    )
    file = plans.sql_file("SELECT count(*) FROM public.queue", path="queue.sql")
    world = copying(dxy, load_sql=file, load_title="orders in the queue", max_load=0)
    heard = jobs.Heard()
    work = Background(lambda: copier.work(world.job, heard))
    wait_until(lambda: bool(heard.waits), what="the copy waits")
    assert heard.waits[0][0] == "orders in the queue: 1 (limit 0)"
    app(world, "DELETE FROM public.queue")
    work.result()
    assert verify(world).clean


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT NULL", "must return one number"),
        ("SELECT 1 AS a, 2 AS b", "must return one number"),
        ("SELECT 1 / 0", "division by zero"),
        ("DELETE FROM public.bars RETURNING 1", "read-only transaction"),
    ],
)
def test_a_load_query_without_a_number_fails_the_copy(dxy: World, text: str, said: str) -> None:
    world = copying(dxy, load_sql=plans.sql_file(text), max_load=0)
    with pytest.raises(StepFailed, match=said):
        copier.work(world.job, jobs.Heard())
    assert rows(world, "SELECT FROM public.bars WHERE symbol = 'DXY'") == []


def test_a_load_query_that_does_not_answer_is_load(dxy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LOAD_STATEMENT_S", 0.3)
    world = jobs.migrating(dxy, load_sql=plans.sql_file("SELECT 1 FROM pg_sleep(600)"), max_load=10)
    with world.runner() as conn:
        assert load.Looker(conn, world.job).look(own=True).own == float("inf")


def test_a_limit_that_is_moved_while_the_copy_waits_lets_it_go_on(dxy: World) -> None:
    world = copying(dxy, max_active_sessions=bounded(0, 0, 50))
    heard = jobs.Heard()
    with world.app() as other:
        sleep = Background(lambda: other.execute("SELECT pg_sleep(600)"))
        wait_for(world, "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")
        work = Background(lambda: copier.work(world.job, heard))
        wait_until(lambda: bool(heard.waits), what="the copy waits")
        heard.changed = {"max_active_sessions": 51}  # outside of what was signed: nobody follows
        count = len(heard.waits)
        wait_until(lambda: len(heard.waits) > count + 2, what="it goes on waiting")
        heard.changed = {"max_active_sessions": 50}
        work.result()
        other.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            sleep.result()
    assert ("info", "max_active_sessions is 50 from here on (was 0)") in heard.logs
    assert verify(world).clean


def test_critical_load_asks_for_a_pause_and_copies_nothing_meanwhile(dxy: World) -> None:
    world = copying(dxy, max_active_sessions=0, critical_active_sessions=0)
    heard = jobs.Heard()
    with world.app() as other:
        sleep = Background(lambda: other.execute("SELECT pg_sleep(600)"))
        wait_for(world, "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")
        with pytest.raises(StopRequested):
            copier.work(world.job, heard)
        other.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            sleep.result()
    assert heard.pauses == ["critical load: 1 sessions are active (critical above 0)"]
    assert rows(world, "SELECT FROM public.bars WHERE symbol = 'DXY'") == []
    copier.work(world.job, jobs.Heard())
    assert verify(world).clean


# -- extra workers


def test_as_many_extra_workers_take_part_as_are_wanted_now(dxy: World) -> None:
    world = copying(dxy, workers=bounded(2, 1, 4))
    with world.runner() as first, world.runner() as second:
        run = world.job.run_uid
        assert seats.take(first, run, workers=2) == 1
        assert seats.take(second, run, workers=2) is None
        assert copier.help_out(replace(world.job, worker="late"), jobs.Heard()) == 0
        assert seats.taken(second, run) == [first.info.backend_pid]
    heard = jobs.Heard(changed={"workers": 4})
    copier.work(world.job, heard)
    assert heard.wanted_workers == 3
    assert verify(world).clean


def test_an_extra_worker_leaves_when_the_number_is_lowered(dxy: World) -> None:
    world = copying(dxy, workers=bounded(2, 1, 4))
    heard = jobs.Heard()
    beats = itertools.count()

    def lower() -> None:
        if next(beats) == 2:
            heard.changed = {"workers": 1}

    heard.between = lower
    with slow(world, "public.bars", "INSERT", seconds=0.5, when="extract(minute FROM NEW.ts) = 30"):
        copied = copier.help_out(world.job, heard)
    assert 0 < copied < 20
    assert rows(world, "SELECT FROM phasegate.chunk WHERE state = 'pending'") != []


def test_the_copy_has_stopped_only_when_every_extra_worker_has(dxy: World) -> None:
    world = copying(dxy, workers=2)
    heard = jobs.Heard()
    with world.runner() as extra:
        assert seats.take(extra, world.job.run_uid, workers=2) == 1
        heard.stop.set()
        stopping = Background(lambda: jobs.apply(world.job, 4, "copy", reporter=heard))
        looking = (
            "SELECT FROM pg_stat_activity WHERE query LIKE '%seat at one run%' AND pid <> pg_backend_pid()"
        )
        wait_for(world, looking)
        assert stopping.running()
        extra.close()
        with pytest.raises(StopRequested):
            stopping.result()


def test_an_extra_worker_that_does_not_hear_has_its_session_ended_and_no_other(dxy: World) -> None:
    world = copying(dxy, workers=2)
    with world.runner() as frozen, world.runner() as conn, world.app() as stranger:
        assert seats.take(frozen, world.job.run_uid, workers=2) == 1
        # Another role may take the same lock under our name: it is not ours to end.
        name = frozen.info.parameter_status("application_name")
        stranger.execute("SELECT set_config('application_name', %s, false)", [name])
        stranger.execute("SELECT pg_advisory_lock(%s::int, 2)", [seats._number(world.job.run_uid)])
        heard = jobs.Heard()
        waiting = Background(
            lambda: seats.wait_until_left(conn, world.job, heard, step="copy", patience_s=0.2)
        )
        wait_until(lambda: any("did not stop" in text for _, text in heard.logs), what="sessions are ended")
        with pytest.raises(psycopg.OperationalError):
            frozen.execute("SELECT 1")
        assert waiting.running()
        assert stranger.execute("SELECT 1").fetchone() == (1,)
        stranger.close()
        waiting.result()
