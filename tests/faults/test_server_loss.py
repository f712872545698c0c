"""A phase outlives its broker and both of its databases."""

from __future__ import annotations

import pytest
import redis

from migration_runs import dispatch
from migration_runs.models import PhaseRun
from tests import plans, runs
from tests.faults.scene import Scene, events, state_of, until, wait_for

pytestmark = pytest.mark.faults


def _two_steps(*, seconds: float) -> PhaseRun:
    """Phase 1 with a slow step and one after it."""
    slow = plans.sql_step("slow", f"INSERT INTO effects (what) SELECT 'slow' FROM pg_sleep({seconds})")
    last = plans.sql_step("last", "INSERT INTO effects (what) VALUES ('last')")
    return runs.run_in_phase(plans.plan({1: [slow, last]}))


def test_a_broker_that_lost_every_message_is_told_again(scene: Scene) -> None:
    phase = _two_steps(seconds=0)
    assert dispatch.send("run_phase", phase.pk)
    with redis.Redis.from_url(scene.cluster.broker_url) as client:
        client.flushall()
    scene.processes.start_worker()
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["slow", "last"]


def test_a_phase_goes_on_while_the_broker_is_dead(scene: Scene) -> None:
    phase = _two_steps(seconds=3)
    scene.processes.start_worker()
    scene.wait_until_sleeping()
    scene.cluster.crash_valkey()
    try:
        wait_for(phase, "awaiting_sign_off")
    finally:
        scene.cluster.start_valkey()
    assert scene.effects() == ["slow", "last"]
    assert events(phase, "phase.finish") == 1


def test_after_the_broker_is_back_the_sweeper_sends_what_was_lost(scene: Scene) -> None:
    scene.processes.start_beat()
    scene.processes.start_worker()
    scene.cluster.crash_valkey()
    phase = _two_steps(seconds=0)
    assert not dispatch.send("run_phase", phase.pk)
    scene.cluster.start_valkey()
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["slow", "last"]


def test_a_control_database_that_crashes_and_returns_loses_no_result(scene: Scene) -> None:
    phase = _two_steps(seconds=3)
    scene.processes.start_beat()
    scene.processes.start_worker()
    scene.wait_until_sleeping()
    scene.cluster.crash_postgres()
    scene.cluster.start_postgres()
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["slow", "last"]
    assert events(phase, "phase.finish") == 1


def test_a_control_database_away_for_longer_than_the_lease_has_the_phase_resumed(scene: Scene) -> None:
    phase = _two_steps(seconds=12)
    scene.processes.start_beat()
    scene.processes.start_worker()
    scene.wait_until_sleeping()
    scene.cluster.crash_postgres()
    try:
        until(lambda: not scene.sleeping(), "the worker stops its statement when its lease has run out")
        assert scene.effects() == []
    finally:
        scene.cluster.start_postgres()
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["slow", "last"]
    assert events(phase, "phase.finish") == 1


def test_a_target_that_crashes_and_returns_is_waited_for(scene: Scene) -> None:
    phase = _two_steps(seconds=3)
    scene.processes.start_beat()
    scene.processes.start_worker()
    scene.wait_until_sleeping()
    scene.target_cluster.crash_postgres()
    try:
        assert state_of(phase) == "running"
    finally:
        scene.target_cluster.start_postgres()
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["slow", "last"]
