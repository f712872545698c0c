"""The ledger on a real target: fencing, steps, before-images, and its end."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from psycopg import conninfo, errors, pq

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import connection, ledger, timeouts
from migration_runs.exceptions import EngineError, Fenced, TargetUnavailable
from tests.integration import worlds
from tests.integration.sessions import Background, wait_blocked, wait_until


def test_zombie_worker_writes_nothing(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    successor = replace(world.job, token=2, worker="w2")
    with world.runner() as zombie, connection.connect_job(successor) as conn:
        with ledger.fenced(zombie, world.job):
            zombie.execute(worlds.DXY_INSERT % (1, 1))
        ledger.ensure(conn, successor)
        taken_over = "another worker has taken over test-1; w1 wrote nothing"
        with pytest.raises(Fenced, match=taken_over), ledger.fenced(zombie, world.job):
            zombie.execute(worlds.DXY_INSERT % (2, 2))
        with pytest.raises(Fenced):
            ledger.ensure(zombie, world.job)
        with ledger.fenced(conn, successor):
            conn.execute(worlds.DXY_INSERT % (3, 3))
    assert world.rows("SELECT close FROM derived ORDER BY 1") == [(1,), (3,)]
    # The same worker without the proof writes, which is what the fence is for.
    with world.runner() as zombie, zombie.transaction():
        zombie.execute(worlds.DXY_INSERT % (2, 2))
    assert world.rows("SELECT count(*) FROM derived") == [(3,)]


def test_a_successor_waits_for_a_transaction_in_flight(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    successor = replace(world.job, token=2, worker="w2")
    with world.runner() as first, connection.connect_job(successor) as second, world.runner() as watcher:
        with ledger.fenced(first, world.job):
            first.execute(worlds.DXY_INSERT % (1, 1))
            claiming = Background(lambda: ledger.ensure(second, successor))
            wait_blocked(watcher, second.info.backend_pid)
            assert claiming.running()
        claiming.result()
    assert world.rows("SELECT count(*) FROM derived") == [(1,)]


def test_a_frozen_zombies_open_transaction_is_ended_by_its_own_session(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    successor = replace(world.job, token=2, worker="w2")
    with world.runner() as frozen, connection.connect_job(successor) as conn:
        row = frozen.execute(
            "SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"
        )
        assert row.fetchone() == (str(connection.IDLE_IN_TRANSACTION_S * 1000),)
        frozen.execute("SET idle_in_transaction_session_timeout = '500ms'")  # 20 s is long for a test
        with (  # noqa: PT012 - the order of these statements is the test
            pytest.raises(errors.IdleInTransactionSessionTimeout),
            ledger.fenced(frozen, world.job),
        ):
            frozen.execute(worlds.DXY_INSERT % (1, 1))
            ledger.ensure(conn, successor)  # waits until the server has ended the frozen one
            frozen.execute("SELECT 1")
    assert world.rows("SELECT count(*) FROM derived") == [(0,)]


def test_several_workers_of_one_token_write_at_the_same_time(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with (
        world.runner() as one,
        world.runner() as two,
        ledger.fenced(one, world.job),
        ledger.fenced(two, world.job),
    ):
        one.execute(worlds.DXY_INSERT % (1, 1))
        two.execute(worlds.DXY_INSERT % (2, 2))
    assert world.rows("SELECT count(*) FROM derived") == [(2,)]


def test_a_chunk_keeps_a_drain_out_and_other_chunks_in(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    uid = world.job.run_uid
    with world.runner() as one, world.runner() as two, world.runner() as drainer:
        with one.transaction(), two.transaction(), drainer.transaction():
            ledger.hold_copy_lock(one, uid)
            ledger.hold_copy_lock(two, uid)
            assert not ledger.try_drain_lock(drainer, uid)
        with drainer.transaction():
            assert ledger.try_drain_lock(drainer, uid)


def test_steps_are_remembered_with_their_details_in_order(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    job = world.job
    with world.runner() as conn:
        ledger.mark_intent(conn, job, phase=1, step_key="b", details={"file": "x"})
        ledger.mark_intent(conn, job, phase=1, step_key="a")
        ledger.mark_applied(conn, job, phase=1, step_key="b")
        ledger.mark_applied(conn, job, phase=1, step_key="a", details={"rows": 1})
        ledger.mark_undoing(conn, job, phase=1, step_key="a")
        known = ledger.applied(conn, job.run_uid)
        assert [(step.step_key, step.state, step.details) for step in known] == [
            ("b", "applied", {"file": "x"}),
            ("a", "undoing", {"rows": 1}),
        ]
        assert known[0].finished_at is not None
        assert known[1].finished_at is None
        ledger.keep_before_image(conn, job, phase=1, step_key="a", image={"n": 1})
        ledger.keep_before_image(conn, job, phase=1, step_key="a", image={"n": 2})
        assert ledger.before_image(conn, job.run_uid, phase=1, step_key="a") == {"n": 1}


def test_sealing_takes_the_runs_objects_and_with_the_last_run_the_schema(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    other = worlds.job_for(world.move, target.runner_url)
    world.switch_on("forward")
    with world.runner() as conn:
        ledger.ensure(conn, other)
        with pytest.raises(EngineError, match="a sync trigger of this run is still on a table"):
            ledger.drop_run(conn, world.job.run_uid)
        conn.execute("DROP TABLE derived, bars")
        ledger.drop_run(conn, world.job.run_uid)
        prefix = ledger.object_prefix(world.job.run_uid)
        assert ledger.installed(conn)
        assert world.rows(f"SELECT relname FROM pg_class WHERE relname LIKE '{prefix}%'") == []
        ledger.drop_run(conn, other.run_uid)
        ledger.drop_run(conn, other.run_uid)
        assert world.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'phasegate'") == []


def test_a_role_that_may_not_create_the_schema_is_told_so(target: TargetUrls) -> None:
    job = worlds.job_for(worlds.DXY_MOVE, target.app_url)
    dbname = conninfo.conninfo_to_dict(target.app_url)["dbname"]
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(f'REVOKE CREATE ON DATABASE "{dbname}" FROM bars_app, bars_owner'.encode())
        with (
            connection.connect_job(job) as conn,
            pytest.raises(EngineError, match="may not create the schema"),
        ):
            ledger.ensure(conn, job)


# -- sessions


def test_every_session_is_pinned_and_named(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with world.runner() as conn:
        for name, wanted in {
            "TimeZone": "UTC", "search_path": "pg_catalog,public", "lock_timeout": "200ms",
            "statement_timeout": "1min", "client_connection_check_interval": "2s", "extra_float_digits": "1",
            "application_name": f"phasegate/{world.job.run_uid.hex[:8]}/w1",
        }.items():  # fmt: skip
            assert conn.execute("SELECT current_setting(%s)", (name,)).fetchone() == (wanted,)


def test_an_unreachable_target_is_explained_without_its_url(
    target: TargetUrls, cluster: embedded.Cluster
) -> None:
    parts = conninfo.conninfo_to_dict(target.runner_url)
    for change, reason in (
        ({"password": "wrong-secret"}, "refuses the user name or the password"),
        ({"dbname": "nowhere"}, "the target's database does not exist"),
        ({"port": "1"}, "nothing listens at the target's address"),
        ({"user": "nobody_here"}, "refuses the user name or the password"),
        ({"host": "no.such.host.invalid"}, "the target's host name is unknown"),
    ):
        url = conninfo.make_conninfo(target.runner_url, **change)
        with pytest.raises(TargetUnavailable, match=reason) as raised:
            connection.connect(url, application_name="test")
        assert str(parts["password"]) not in f"{raised.value}{raised.value.__cause__}"
        assert "wrong-secret" not in str(raised.value)
    with pytest.raises(TargetUnavailable, match="URL cannot be read") as raised:
        connection.connect("postgresql://u:hush@[bad", application_name="test")
    assert "hush" not in str(raised.value)


def test_timeouts_are_put_back_whatever_happens(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shown = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
    with world.runner() as conn:
        with (  # noqa: PT012 - the settings are looked at inside the block
            pytest.raises(errors.DivisionByZero),
            timeouts.timeouts(conn, lock_ms=50, statement_s=1),
        ):
            assert conn.execute(shown).fetchone() == ("50ms", "1s")
            conn.execute("SELECT 1 / 0")
        assert conn.execute(shown).fetchone() == ("200ms", "1min")
        with (
            pytest.raises(ValueError, match="lock timeout"),
            timeouts.timeouts(conn, lock_ms=1000, statement_s=1),
        ):
            pass


def test_the_servers_side_of_a_killed_worker_stops(target: TargetUrls) -> None:
    """The connection is cut in the middle of a statement; the statement does not go on without it."""
    world = worlds.dxy_like(target)
    conn = world.runner()
    pid = conn.info.backend_pid
    conn.pgconn.send_query(b"SELECT pg_sleep(600)")
    assert conn.pgconn.transaction_status == pq.TransactionStatus.ACTIVE
    conn.close()
    wait_until(
        lambda: world.rows(f"SELECT FROM pg_stat_activity WHERE pid = {pid}") == [],
        what="the session is gone",
    )
