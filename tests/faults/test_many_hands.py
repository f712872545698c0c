"""Chunks and checks on several real workers, some of which die."""

from __future__ import annotations

import os
import signal

import psycopg
import pytest
from django.db.models.functions import Now

from migration_runs.models import DueCheck, PhaseRun, Run, VerificationReport
from tests import plans, runs
from tests.faults.scene import Scene, until, wait_for

pytestmark = pytest.mark.faults

ROWS = 60_000
COPYING = {"initial_rows": 200, "max_rows": 200, "workers": 3}
FORWARD = {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"}
CHUNKS = {"kind": "copy", "key": "chunks", "title": "chunks", "part": "chunks"}
SETTLE = {"kind": "copy", "key": "settle", "title": "settle", "part": "settle"}
COMPARE = {"kind": "verify", "key": "compare", "title": "compare"}
MONITOR = {"kind": "monitor", "key": "window", "title": "window"}

SPEED = 3600.0
CLOCK = (
    "SELECT timestamptz '2026-03-02 08:00+00' "
    f"+ (clock_timestamp() - timestamptz '2026-11-22 00:00+00') * {SPEED} AS now"
)


def _copying(scene: Scene) -> PhaseRun:
    """Phase 4 of a run on a table of some size, in small chunks."""
    with psycopg.connect(scene.target.owner_url) as conn:
        conn.execute("INSERT INTO old_things SELECT n, 'body' FROM generate_series(1, %s::int) AS n", [ROWS])
    made = plans.plan({4: [FORWARD, CHUNKS, SETTLE, COMPARE]}, copying=COPYING)
    return runs.run_in_phase(made, number=4)


def _copiers(scene: Scene) -> set[str]:
    """Workers that have a session on the target now."""
    with psycopg.connect(scene.target.runner_url) as conn:
        rows = conn.execute(
            "SELECT application_name FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'phasegate/%'"
        )
        return {row[0].rpartition("/")[2] for row in rows}


def _copied(scene: Scene) -> int:
    with psycopg.connect(scene.target.owner_url) as conn:
        row = conn.execute("SELECT count(*) FROM new_things").fetchone()
    return int(row[0]) if row else 0


def test_several_workers_share_one_copy_and_one_may_die(scene: Scene) -> None:
    phase = _copying(scene)
    scene.processes.start_beat()
    scene.processes.start_worker(concurrency=4)

    def helpers() -> list[str]:
        holder = PhaseRun.objects.values_list("lease_worker", flat=True).get(pk=phase.pk)
        return [name for name in _copiers(scene) if name != holder and name.count("-") >= 2]

    until(lambda: bool(helpers()) and _copied(scene) > 0, "an extra worker copies")
    os.kill(int(helpers()[0].rsplit("-", 2)[1]), signal.SIGKILL)
    wait_for(phase, "awaiting_sign_off")
    with psycopg.connect(scene.target.owner_url) as conn:
        difference = "SELECT count(*) FROM (TABLE old_things EXCEPT TABLE new_things) AS missing"
        assert conn.execute(difference).fetchone() == (0,)
    assert _copied(scene) == ROWS


def test_a_copier_killed_in_the_middle_leaves_no_gap_and_no_double(scene: Scene) -> None:
    phase = _copying(scene)
    scene.processes.start_beat()
    scene.processes.start_worker(concurrency=3)
    until(lambda: _copied(scene) > 0, "the copy has begun")
    for process in scene.processes.running[1:]:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert _copied(scene) < ROWS
    scene.processes.start_worker(concurrency=3)
    wait_for(phase, "awaiting_sign_off")
    assert _copied(scene) == ROWS


def _watching(scene: Scene, *, hours: float) -> PhaseRun:
    """Phase 8 whose checks come each second."""
    rows = plans.check(
        "rows", "SELECT count(*) AS value, 'rows' AS detail FROM public.effects", passes={"equals": 0}
    )
    clean = {"key": "clean", "title": "clean", "builtin": "verification", "passes": {"equals": 0}}
    made = plans.plan({8: [MONITOR]}, checks=[rows, clean], clock_speed=SPEED, clock=CLOCK, hours=hours)
    return runs.run_in_phase(made, number=8)


def test_a_compressed_window_becomes_whole_on_real_workers(scene: Scene) -> None:
    phase = _watching(scene, hours=8)
    scene.processes.start_beat()
    scene.processes.start_worker(concurrency=3)
    wait_for(phase, "awaiting_sign_off")
    verdicts = set(DueCheck.objects.filter(round__lte=8).values_list("state", "verdict"))
    assert verdicts == {("done", "pass")}
    assert DueCheck.objects.filter(round__lte=8).count() == 16
    assert VerificationReport.objects.filter(run=phase.run_id, clean=True).exists()


def test_checks_that_nobody_ran_hold_the_run(scene: Scene) -> None:
    phase = _watching(scene, hours=60)
    scene.processes.start_beat()
    worker = scene.processes.start_worker(concurrency=2)
    until(lambda: DueCheck.objects.filter(state="done").count() >= 2, "the first checks are made")
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    latest = DueCheck.objects.filter(state="pending").order_by("due_at").first()
    assert latest is not None
    # Missed is judged by the control database's clock alone: nobody is there to look before that.
    until(lambda: _late(latest), "a check is late")
    scene.processes.start_worker(concurrency=2)
    until(lambda: Run.objects.get(pk=phase.run_id).state == "on_hold", "the run is held")
    assert DueCheck.objects.filter(state="missed").exists()


def _late(due: DueCheck) -> bool:
    return DueCheck.objects.filter(pk=due.pk, late_after__lt=Now()).exists()
