"""The fixtures themselves: each gives what its name says."""

from __future__ import annotations

import psycopg
import pytest
import redis
from django.contrib.auth.models import User
from django.db import connections

from controlpanel.embedded_databases import ControlUrls, TargetUrls
from tests.processes import Processes


def test_control_db_is_a_migrated_database_of_its_own_and_commits(control_db: ControlUrls) -> None:
    User.objects.create(username="kept")
    with psycopg.connect(control_db.owner_url) as other_session:
        assert other_session.execute("SELECT username FROM auth_user").fetchall() == [("kept",)]


def test_the_next_control_db_does_not_see_the_last_ones_rows(control_db: ControlUrls) -> None:
    assert not User.objects.exists()


def test_the_panel_connects_as_the_app_role_which_owns_nothing(control_db: ControlUrls) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_user, count(*) FROM pg_tables WHERE tableowner = current_user")
        assert cursor.fetchone() == ("phasegate_app", 0)


@pytest.mark.django_db
def test_the_db_mark_works_without_committing() -> None:
    User.objects.create(username="rolled back")
    with psycopg.connect(str(_default_dsn())) as other_session:
        assert other_session.execute("SELECT count(*) FROM auth_user").fetchone() == (0,)


def _default_dsn() -> str:
    d = connections["default"].settings_dict
    return f"postgresql://{d['USER']}:{d['PASSWORD']}@{d['HOST']}:{d['PORT']}/{d['NAME']}"


def test_target_is_an_empty_database_whose_runner_may_act_as_the_owner(target: TargetUrls) -> None:
    with psycopg.connect(target.runner_url) as runner:
        assert runner.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        runner.execute("CREATE SCHEMA phasegate")
        runner.execute("SET ROLE bars_owner")
        runner.execute("CREATE TABLE t (id int)")


def test_djangos_connection_to_the_target_cannot_write(target: TargetUrls) -> None:
    with connections["bars"].cursor() as cursor, pytest.raises(Exception, match="read-only transaction"):
        cursor.execute("CREATE TABLE t (id int)")


def test_broker_is_empty_and_asks_for_its_password(broker: str) -> None:
    with redis.Redis.from_url(broker) as client:
        assert client.dbsize() == 0
    host = broker.rpartition("@")[2]
    with redis.Redis.from_url(f"redis://{host}") as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_manage_py_runs_on_the_tests_databases(run_manage, control_db: ControlUrls) -> None:  # type: ignore[no-untyped-def]
    done = run_manage(
        "shell", "-v", "0", "-c", "from django.db import connection as c; print(c.settings_dict['NAME'])"
    )
    assert (done.returncode, done.stdout.strip()) == (0, control_db.dbname), done.stderr


def test_a_real_worker_starts_and_stops(celery_workers: Processes) -> None:
    worker = celery_workers.running[0]
    assert worker.poll() is None
    celery_workers.stop()
    assert worker.returncode == 0


def test_bars_target_has_bars_and_its_application_sees_them(bars_target: TargetUrls) -> None:
    with psycopg.connect(bars_target.app_url) as application:
        counted = application.execute("SELECT count(*) FROM data_bars").fetchone()
    assert counted is not None
    assert counted[0] > 1000
