"""A worker keeps its connection to the control database from task to task, and outlives its loss."""

from __future__ import annotations

import time

import psycopg
import pytest

from controlpanel import embedded
from controlpanel.embedded_databases import ControlUrls
from migration_runs import dispatch
from migration_runs.models import FleetPulse
from tests.processes import Processes

SESSIONS = """
SELECT pid FROM pg_stat_activity
 WHERE datname = %s AND application_name = 'phasegate/control' AND pid <> ALL (%s)
"""


def test_the_connection_of_a_task_is_the_next_ones_and_a_dead_one_is_replaced(
    control_db: ControlUrls, cluster: embedded.Cluster, processes: Processes
) -> None:
    with psycopg.connect(cluster.superuser_dsn(), autocommit=True) as admin:
        assert not FleetPulse.objects.exists()  # and this test's own session is among those before
        before = [row[0] for row in admin.execute("SELECT pid FROM pg_stat_activity").fetchall()]

        def sessions() -> list[int]:
            return [row[0] for row in admin.execute(SESSIONS, [control_db.dbname, before]).fetchall()]

        processes.start_worker(concurrency=1)
        sweep()
        first = sessions()
        sweep()
        assert sessions() == first
        assert len(first) == 1
        admin.execute("SELECT pg_terminate_backend(%s, 10000)", first)
        sweep()
        assert len(sessions()) == 1
        assert sessions() != first


def sweep() -> None:
    """Have the worker look around once, and wait until it has."""
    before = FleetPulse.objects.values_list("at", flat=True).first()
    assert dispatch.send("sweep")
    deadline = time.monotonic() + 60  # only so that a broken program fails instead of hanging
    while FleetPulse.objects.values_list("at", flat=True).first() == before:
        if time.monotonic() > deadline:
            pytest.fail("the worker does not sweep")
        time.sleep(0.05)
