"""A phase outlives its workers, and a worker that comes back from the dead changes nothing."""

from __future__ import annotations

import os
import signal

import psycopg
import pytest

from migration_runs import dispatch
from migration_runs.models import PhaseRun
from tests import plans, runs
from tests.faults.scene import Scene, events, holder_pid, kill_holder, log_of, until, wait_for

pytestmark = pytest.mark.faults

SLOW = "INSERT INTO effects (what) SELECT 'two' FROM pg_sleep({seconds})"


def _three_steps(*, seconds: float = 4) -> PhaseRun:
    """Phase 1 with three steps that each leave one row, the second of them slow."""
    steps = [
        plans.sql_step("one", "INSERT INTO effects (what) VALUES ('one')"),
        plans.sql_step("two", SLOW.format(seconds=seconds)),
        plans.sql_step("three", "INSERT INTO effects (what) VALUES ('three')"),
    ]
    return runs.run_in_phase(plans.plan({1: steps}))


def test_a_killed_child_costs_no_step_and_repeats_none(scene: Scene) -> None:
    phase = _three_steps()
    scene.processes.start_beat()
    scene.processes.start_worker()
    scene.wait_until_sleeping()
    kill_holder(phase)
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["one", "two", "three"]
    assert events(phase, "phase.finish") == 1
    assert [line for line in log_of(phase) if "was lost, resuming" in line]


def test_a_killed_worker_with_all_its_children_is_replaced_by_the_next(scene: Scene) -> None:
    phase = _three_steps()
    scene.processes.start_beat()
    worker = scene.processes.start_worker()
    scene.wait_until_sleeping()
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    scene.processes.start_worker()
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["one", "two", "three"]
    assert events(phase, "phase.finish") == 1


def test_a_zombie_that_wakes_up_after_its_lease_writes_nothing(scene: Scene) -> None:
    phase = _three_steps(seconds=3)
    scene.processes.start_beat()
    scene.processes.start_worker(concurrency=1)
    scene.wait_until_sleeping()
    zombie = kill_holder(phase, signal.SIGSTOP)
    try:
        scene.processes.start_worker(concurrency=2)
        until(lambda: holder_pid(phase) != zombie, "another worker takes over")
        wait_for(phase, "awaiting_sign_off")
        before = (scene.effects(), log_of(phase), PhaseRun.objects.values().get(pk=phase.pk))
    finally:
        os.kill(zombie, signal.SIGCONT)
    # The zombie is back at work once it takes messages again: its worker has no other child.
    beat, frozen_worker, _ = scene.processes.running
    beat.terminate()
    frozen_worker.terminate()
    frozen_worker.wait()
    assert scene.effects() == ["one", "two", "three"]
    assert (scene.effects(), log_of(phase), PhaseRun.objects.values().get(pk=phase.pk)) == before
    assert events(phase, "phase.finish") == 1


def test_the_same_message_twenty_times_is_one_execution(scene: Scene) -> None:
    phase = _three_steps(seconds=1)
    for _ in range(20):
        assert dispatch.send("run_phase", phase.pk)
    scene.processes.start_worker(concurrency=3)
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["one", "two", "three"]
    assert PhaseRun.objects.get(pk=phase.pk).attempt == 1
    assert events(phase, "phase.finish") == 1


def test_two_beats_are_one_execution(scene: Scene) -> None:
    phase = _three_steps(seconds=2)
    scene.processes.start_beat()
    scene.processes.start_beat()
    scene.processes.start_worker(concurrency=3)
    wait_for(phase, "awaiting_sign_off")
    assert scene.effects() == ["one", "two", "three"]
    assert PhaseRun.objects.get(pk=phase.pk).attempt == 1


def test_pause_now_ends_the_statement_and_no_one_elses(scene: Scene) -> None:
    phase = _three_steps(seconds=600)
    scene.processes.start_worker()
    with psycopg.connect(
        scene.target.app_url, autocommit=True, application_name="phasegate/feigned"
    ) as other:
        scene.processes.start_beat()
        scene.wait_until_sleeping()
        row = PhaseRun.objects.get(pk=phase.pk)
        row.pause()
        row.interrupt = True
        row.save()
        wait_for(phase, "paused")
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert scene.effects() == ["one"]
