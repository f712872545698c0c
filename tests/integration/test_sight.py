"""A role that does not see other sessions is refused before it takes them for none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import conninfo

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.move import sight
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.copying import CopySettings
from tests import plans, standby
from tests.integration import stepping
from tests.integration.stepping import Memory

REHEARSE = {"kind": "rehearse_sql", "key": "rehearse", "title": "rehearse", "undo_none": "it only reads"}
FORWARD = {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"}
CHUNKS = {"kind": "copy", "key": "chunks", "title": "chunks", "part": "chunks"}
GRANT = "GRANT pg_read_all_stats TO phasegate_runner"


@pytest.fixture
def revoke(target: TargetUrls, cluster: embedded.Cluster) -> Iterator[Callable[[], None]]:
    """Takes the runner's sight; it is given back at the end."""
    stepping.make_tables(target, rows=20)
    dbname = str(conninfo.conninfo_to_dict(target.runner_url)["dbname"])
    with psycopg.connect(cluster.superuser_dsn(dbname), autocommit=True) as admin:

        def take() -> None:
            admin.execute("REVOKE pg_read_all_stats FROM phasegate_runner")

        yield take
        admin.execute(GRANT.encode())


def test_phase_1_names_the_limits_and_the_grant_and_goes_on_once_it_is_given(
    target: TargetUrls, scratch: TargetUrls, cluster: embedded.Cluster, revoke: Callable[[], None]
) -> None:
    revoke()
    plan = plans.plan({1: [REHEARSE], 4: [FORWARD, CHUNKS]}, copying={"critical_replication_lag_s": 60})
    job = stepping.job(plan, target, phase=1, scratch=scratch)
    outcome = runner.run_phase(job, Memory())
    assert outcome.status == "failed"
    assert "the role phasegate_runner sees neither other sessions' transactions nor standbys" in outcome.error
    assert outcome.error.endswith("max_replication_lag_s, critical_replication_lag_s, max_active_sessions")
    assert outcome.next_step == "GRANT pg_read_all_stats TO phasegate_runner, then retry"
    with psycopg.connect(cluster.superuser_dsn(), autocommit=True) as admin:
        admin.execute(GRANT.encode())
    outcome = runner.run_phase(stepping.again(job), Memory())
    assert outcome.status == "finished", outcome.error


def test_a_copy_whose_role_has_lost_its_sight_copies_nothing(
    target: TargetUrls, revoke: Callable[[], None]
) -> None:
    plan = plans.plan({4: [FORWARD, CHUNKS]})
    revoke()
    outcome = runner.run_phase(stepping.job(plan, target, phase=4), Memory())
    assert (outcome.status, outcome.step) == ("failed", "chunks")
    assert "max_active_sessions" in outcome.error
    assert stepping.one(target, "SELECT count(*) FROM public.new_things") == 0


def test_a_plan_that_copies_nothing_needs_no_sight(
    target: TargetUrls, scratch: TargetUrls, revoke: Callable[[], None]
) -> None:
    revoke()
    outcome = runner.run_phase(
        stepping.job(plans.plan({1: [REHEARSE]}), target, phase=1, scratch=scratch), Memory()
    )
    assert outcome.status == "finished", outcome.error


def test_the_server_itself_hides_standbys_and_sessions_without_it(
    target: TargetUrls, cluster: embedded.Cluster, revoke: Callable[[], None]
) -> None:
    """What the check is for: the queries answer, and what they answer is an idle server."""
    seen = "SELECT count(replay_lsn) FROM pg_stat_replication"
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
    with (
        standby.of(cluster),
        psycopg.connect(cluster.superuser_dsn(), autocommit=True),
        psycopg.connect(target.runner_url, autocommit=True) as conn,
    ):
        sight.require(conn, "a test")
        assert (conn.execute(seen.encode()).fetchone() or (0,))[0] > 0
        revoke()
        assert conn.execute(seen.encode()).fetchone() == (0,)
        assert conn.execute(active.encode()).fetchone() == (0,)
        with pytest.raises(StepFailed):
            sight.require(conn, "a test")


def test_every_limit_that_needs_sight_is_named_and_no_other() -> None:
    settings = CopySettings(critical_active_sessions=200, critical_lock_waiters=9, max_wal_mb_s=5)
    said = sight.limits(settings)
    assert said == "max_replication_lag_s, max_active_sessions, critical_active_sessions"
