"""Who must have ended before the copy counts as whole."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import drain, waiting
from migration_runs.exceptions import EngineError
from tests.integration import worlds
from tests.integration.sessions import Quiet

Conn = psycopg.Connection[Any]


def count(conn: Conn, query: str, xid: str) -> int:
    row = conn.execute(query.encode(), (xid,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_running_writer_is_waited_for_and_named(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with world.app(autocommit=False) as writer, world.runner() as conn:
        writer.execute(worlds.DXY_INSERT % (1, 1))
        snapshot = conn.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
        assert snapshot is not None
        missed = "SELECT count(*) FROM pg_stat_activity WHERE age(backend_xid) > age(%s::xid8::xid)"
        assert count(conn, missed, snapshot[0]) == 0, (
            "a line by pg_snapshot_xmax does not see the running writer"
        )

        line = waiting.barrier(conn, world.job)
        reporter = Quiet()
        (left,) = waiting.wait(conn, line, reporter=reporter, step="settle", patience_s=0)
        assert (left.pid, left.usename, left.application_name) == (writer.info.backend_pid, "bars_app", "app")
        assert f"waiting for pid {left.pid} app (bars_app, since" in reporter.notes[0]
        writer.commit()
        assert waiting.wait(conn, line, reporter=reporter, step="settle", patience_s=0) == ()


def test_a_repeatable_read_reader_that_deletes_after_the_copy_is_waited_for(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with world.app() as app:
        app.execute(worlds.DXY_INSERT % (1, 1))
    shape = world.switch_on("forward")
    with world.app(autocommit=False) as reader, world.runner() as conn:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT FROM derived")
        conn.execute(
            "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
            "SELECT symbol, timeframe, ts, close, 'synthetic', '{}' FROM derived"
        )
        line = waiting.barrier(conn, world.job)
        by_xid = "SELECT count(*) FROM pg_stat_activity WHERE age(backend_xid) > age(%s::xid8::xid)"
        assert count(conn, by_xid, line.xid) == 0, "it has no transaction id yet"
        assert [one.pid for one in waiting.older(conn, line)] == [reader.info.backend_pid]

        reader.execute("DELETE FROM derived")  # its snapshot does not see the copied row
        reader.commit()
        assert len(world.unequal(shape)) == 1
        assert waiting.older(conn, line) == ()
        drain.settle(conn, world.job, shape)
        assert world.unequal(shape) == []


def test_a_prepared_transaction_is_waited_for_and_named(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with world.app(autocommit=False) as writer, world.runner() as conn:
        writer.tpc_begin(writer.xid(1, "bars-1", "a"))
        writer.execute(worlds.DXY_INSERT % (1, 1))
        writer.tpc_prepare()
        line = waiting.barrier(conn, world.job)
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE age(backend_xid) > age(%s::xid8::xid)"
        assert count(conn, sessions, line.xid) == 0, "no session holds it"
        (left,) = waiting.older(conn, line)
        assert "prepared transaction" in str(left)
        writer.tpc_commit()
        assert waiting.older(conn, line) == ()


def test_another_database_does_not_hold_the_wait_up(
    target: TargetUrls, scratch: TargetUrls, cluster: embedded.Cluster
) -> None:
    """A long writer elsewhere holds back every snapshot; newcomers here are not older for that."""
    world = worlds.dxy_like(target)
    with (
        psycopg.connect(scratch.owner_url) as elsewhere,
        world.app(autocommit=False) as reader,
        world.runner() as conn,
    ):
        elsewhere.execute("CREATE TABLE long_work ()")
        line = waiting.barrier(conn, world.job)
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT FROM derived")
        by_age = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND age(backend_xmin) > age(%s::xid8::xid)"
        )
        assert count(conn, by_age, line.xid) == 1, "by its age alone the newcomer would be waited for"
        assert waiting.older(conn, line) == ()


def test_a_line_goes_on_after_it_was_kept_in_the_ledger(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with world.app(autocommit=False) as writer, world.runner() as conn:
        writer.execute(worlds.DXY_INSERT % (1, 1))
        line = waiting.Barrier.from_json(waiting.barrier(conn, world.job).to_json())
        assert len(waiting.older(conn, line)) == 1


def test_a_role_that_cannot_see_others_transactions_is_refused(
    target: TargetUrls, cluster: embedded.Cluster
) -> None:
    world = worlds.dxy_like(target)
    dbname = str(conninfo.conninfo_to_dict(target.runner_url)["dbname"])
    with psycopg.connect(cluster.superuser_dsn(dbname), autocommit=True) as admin, world.runner() as conn:
        admin.execute("REVOKE pg_read_all_stats FROM phasegate_runner")
        try:
            with pytest.raises(EngineError, match="sees neither other sessions' transactions"):
                waiting.barrier(conn, world.job)
        finally:
            admin.execute("GRANT pg_read_all_stats TO phasegate_runner")
