"""Stopping statements: our own, of this run, of this role, and nobody else's."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import cancel, connection

RUN = uuid.UUID("aaaaaaaa-0000-4000-8000-000000000001")
OTHER_RUN = uuid.UUID("bbbbbbbb-0000-4000-8000-000000000001")


class Sleeper(threading.Thread):
    """A session that sleeps in a statement until it is stopped or told to end."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(daemon=True)
        self.conn = psycopg.connect(url, application_name=name, autocommit=True)
        self.pid = self.conn.info.backend_pid
        self.stopped_by: type[BaseException] | None = None
        self.start()

    def run(self) -> None:
        try:
            self.conn.execute("SELECT pg_sleep(600)")
        except psycopg.Error as error:
            self.stopped_by = type(error)


@contextmanager
def sleeping(target: TargetUrls, *sessions: tuple[str, str]) -> Iterator[list[Sleeper]]:
    """Sessions ``(url, application_name)``, each inside a statement; ended afterwards."""
    sleepers = [Sleeper(url, name) for url, name in sessions]
    with psycopg.connect(target.runner_url, autocommit=True) as conn:  # it may read all statistics
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = ANY(%s)"
        for _ in range(500):
            if conn.execute(asleep, [[s.pid for s in sleepers]]).fetchone() == (len(sleepers),):
                break
            time.sleep(0.02)
        else:
            raise AssertionError("the sessions never got into their statements")
    try:
        yield sleepers
    finally:
        for sleeper in sleepers:
            sleeper.conn.cancel_safe()
            sleeper.join()
            sleeper.conn.close()


def test_every_worker_of_the_run_is_stopped_and_no_other_run(target: TargetUrls) -> None:
    names = [connection.application_name(RUN, "a"), connection.application_name(RUN, "b")]
    names.append(connection.application_name(OTHER_RUN, "a"))
    with sleeping(target, *[(target.runner_url, name) for name in names]) as (first, second, stranger):
        assert cancel.stop_statements(target.runner_url, run_uid=RUN) == 2
        first.join()
        second.join()
        assert stranger.is_alive()
    assert first.stopped_by is second.stopped_by is errors.QueryCanceled


def test_only_the_named_worker_is_stopped(target: TargetUrls) -> None:
    names = [connection.application_name(RUN, "host-1-aa"), connection.application_name(RUN, "host-1-aab")]
    with sleeping(target, *[(target.runner_url, name) for name in names]) as (named, longer):
        assert cancel.stop_statements(target.runner_url, run_uid=RUN, worker="host-1-aa") == 1
        named.join()
        assert longer.is_alive()


def test_a_session_of_another_role_that_bears_our_name_is_left_alone(target: TargetUrls) -> None:
    feigned = (target.app_url, connection.application_name(RUN, "a"))
    with sleeping(target, feigned) as (stranger,):
        assert cancel.stop_statements(target.runner_url, run_uid=RUN) == 0
        assert stranger.is_alive()


def test_terminate_ends_a_session_that_holds_a_lock(target: TargetUrls) -> None:
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("CREATE TABLE held (id int)")
    name = connection.application_name(RUN, "frozen")
    frozen = psycopg.connect(target.runner_url, application_name=name)
    frozen.execute("SET ROLE bars_owner")
    frozen.execute("LOCK TABLE held")
    assert cancel.stop_statements(target.runner_url, run_uid=RUN, worker="frozen", how="terminate") == 1
    with pytest.raises(psycopg.OperationalError):
        frozen.execute("SELECT 1")
    frozen.close()
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("SET lock_timeout = '10s'")
        conn.execute("LOCK TABLE held")
