"""The session that one worker's turn keeps: as new for each piece of work, and replaced when it is gone."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import connection, runner, sessions
from migration_runs.engine.sessions import Sessions
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

STATE = {
    "settings": "SELECT string_agg(name || '=' || setting, E'\\n' ORDER BY name) FROM pg_settings",
    "custom": "SELECT coalesce(current_setting('mine.own', true), '')",
    "role": "SELECT session_user || ' ' || current_user",
    "locks": "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'",
    "temporary": "SELECT to_regclass('pg_temp.old_things') IS NULL",
    "prepared": "SELECT count(*) FROM pg_prepared_statements",
    "cursors": "SELECT count(*) FROM pg_cursors WHERE is_holdable",
    "listening": "SELECT count(*) FROM pg_listening_channels()",
}
LITTER = (
    "SET search_path = pg_temp",
    "SET statement_timeout = 0",
    "SET TimeZone = 'Asia/Tokyo'",
    "SET application_name = 'somebody else'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET default_transaction_read_only = off",
    "SELECT set_config('mine.own', 'left', false)",
    "SELECT pg_advisory_lock(4711)",
    "CREATE TEMPORARY TABLE old_things (id bigint)",
    "PREPARE left_over AS SELECT 1",
    "DECLARE left_open CURSOR WITH HOLD FOR SELECT 1",
    "LISTEN somebody",
)
PID = "SELECT pg_backend_pid()"


def one(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query.encode(), prepare=False).fetchone()
    assert row is not None
    return row[0]


def state(conn: psycopg.Connection[Any]) -> dict[str, Any]:
    return {what: one(conn, query) for what, query in STATE.items()}


@pytest.fixture
def lending(target: TargetUrls) -> Sessions:
    stepping.make_tables(target, rows=1)
    return Sessions(stepping.job(plans.plan({}), target))


def test_nothing_that_a_piece_of_work_leaves_reaches_the_next(lending: Sessions, target: TargetUrls) -> None:
    with lending as kept:
        with kept.lend() as conn:
            fresh, pid = state(conn), one(conn, PID)
            for litter in LITTER:
                conn.execute(litter.encode())
            changed = state(conn)
        assert [what for what in STATE if changed[what] == fresh[what]] == ["role"]
        with psycopg.connect(target.dsn) as watcher:
            held = one(watcher, f"SELECT count(*) FROM pg_locks WHERE pid = {pid} AND locktype = 'advisory'")
        assert held == 0, "the lock is kept while nobody works"
        with kept.lend() as conn:
            assert one(conn, PID) == pid, "another session: this test shows nothing"
            assert state(conn) == fresh


def test_one_session_serves_the_same_statements_again_and_again(lending: Sessions) -> None:
    """The driver would prepare what it sees for the sixth time, and not know that this was taken off."""
    with lending as kept:
        pids = set()
        for _ in range(12):
            with kept.lend() as conn:
                for number in range(40):
                    pids |= {conn.execute(PID.encode()).fetchone()}
                    conn.execute("SELECT %s::int", [number])
        assert len(pids) == 1


def test_who_asks_while_the_session_is_lent_gets_another(lending: Sessions) -> None:
    with lending as kept, kept.lend() as first:
        with kept.lend() as second:
            assert one(first, PID) != one(second, PID)
        assert second.closed
        assert not first.closed


def test_a_session_whose_work_failed_is_not_lent_again_and_its_transaction_is_gone(
    lending: Sessions, target: TargetUrls
) -> None:
    with lending as kept:
        with pytest.raises(psycopg.errors.UndefinedTable), kept.lend() as conn:
            conn.execute("BEGIN; DELETE FROM public.old_things; SELECT FROM nowhere")
        assert conn.closed
        with kept.lend() as conn:
            assert one(conn, "SELECT count(*) FROM public.old_things") == 1


def test_a_session_that_was_ended_while_it_rested_is_replaced_unnoticed(
    lending: Sessions, target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "TRUSTED_S", -1.0)
    with lending as kept:
        with kept.lend() as conn:
            pid = one(conn, PID)
        with psycopg.connect(target.dsn, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        with kept.lend() as conn:
            assert one(conn, PID) != pid


def test_the_end_of_the_turn_closes_the_session(lending: Sessions) -> None:
    with lending as kept, kept.lend() as conn:
        pass
    assert conn.closed


def test_a_phase_logs_in_once(target: TargetUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    stepping.make_tables(target, rows=1)
    logged_in = []
    connect_job = connection.connect_job

    def counted(job: Any) -> psycopg.Connection[Any]:
        logged_in.append(job)
        return connect_job(job)

    monkeypatch.setattr(connection, "connect_job", counted)
    steps = [plans.sql_step(key, "SELECT set_config('search_path', '', false)") for key in "abc"]
    outcome = runner.run_phase(stepping.job(plans.plan({3: steps}), target), Memory())
    assert outcome.status == "finished", outcome.error
    assert len(logged_in) == 1
