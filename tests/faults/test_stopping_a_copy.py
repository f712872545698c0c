"""Pause, hold, pause now and rollback of a copy by four real workers: each is reached within a chunk."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group, User

from migration_runs.models import PhaseRun, Run
from migration_runs.phases import Role
from migration_runs.services import runs, step_up
from tests import plans
from tests.faults.scene import Scene, until, wait_for
from tests.runs import run_in_phase

pytestmark = pytest.mark.faults

ROWS = 240_000
WORKERS = 4
COPYING: dict[str, Any] = {"initial_rows": 100, "max_rows": 100, "workers": WORKERS}
FORWARD = {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"}
CHUNKS = {"kind": "copy", "key": "chunks", "title": "chunks", "part": "chunks"}
PASSWORD = "a long password of a test"
AT_CHUNKS = (
    "SELECT count(DISTINCT application_name) FROM pg_stat_activity "
    "WHERE datname = current_database() AND starts_with(application_name, %s)"
)


def one(scene: Scene, query: str, *values: object) -> int:
    with psycopg.connect(scene.target.runner_url) as conn:
        row = conn.execute(query.encode(), values).fetchone()
    assert row is not None
    return int(row[0])


def copied(scene: Scene) -> int:
    return one(scene, "SELECT count(*) FROM new_things")


def sessions(scene: Scene, phase: PhaseRun) -> int:
    return one(scene, AT_CHUNKS, f"phasegate/{phase.run.uid.hex[:8]}/")


def person() -> User:
    olga = User.objects.create_user("olga", password=PASSWORD, is_staff=True)
    olga.groups.set([Group.objects.get(name=Role.ONCALL.value)])
    return olga


def stop(how: str, phase: PhaseRun, olga: User) -> None:
    run_id = phase.run_id
    if how == "hold":
        runs.hold_run(run_id, reason="provider reports trouble", person=olga, how="test")
    elif how == "roll_back":
        proof = step_up.prove(olga, password=PASSWORD)
        runs.roll_back_run(run_id, typed_name=phase.run.name, step_up=proof, person=olga, how="test")
    else:
        runs.pause_phase(run_id, now=how == "pause_now", person=olga, how="test")


@pytest.mark.parametrize("how", ["pause", "hold", "pause_now", "roll_back"])
def test_four_workers_stop_within_a_chunk_and_nobody_copies_once_it_is_paused(
    scene: Scene, how: str, request: pytest.FixtureRequest
) -> None:
    with psycopg.connect(scene.target.owner_url) as conn:
        conn.execute("INSERT INTO old_things SELECT n, 'body' FROM generate_series(1, %s::int) AS n", [ROWS])
    phase = run_in_phase(plans.plan({4: [FORWARD, CHUNKS]}, copying=COPYING), number=4)
    olga = person()
    # Somebody else's session that calls itself like one of ours, of another role.
    foreign = psycopg.connect(
        scene.target.app_url, autocommit=True, application_name=f"phasegate/{phase.run.uid.hex[:8]}/x"
    )
    request.addfinalizer(foreign.close)
    scene.processes.start_beat()
    for _ in range(2):
        scene.processes.start_worker(concurrency=2)
    until(lambda: sessions(scene, phase) >= WORKERS + 1 and copied(scene) > 0, "four workers copy")
    before = copied(scene)
    stop(how, phase, olga)
    wait_for(phase, *(("undoing", "undone") if how == "roll_back" else ("paused",)))
    assert foreign.execute("SELECT 1").fetchone() == (1,)
    if how == "roll_back":
        wait_for(phase, "undone")
        foreign.close()
        assert Run.objects.get(pk=phase.run_id).state in {"rolling_back", "rolled_back"}
        return
    at_rest = copied(scene)
    assert before <= at_rest < ROWS
    foreign.close()
    # A sweep may look at the tables for a moment; nobody stays.
    until(lambda: sessions(scene, phase) == 0, "no session is left")
    with psycopg.connect(scene.target.runner_url) as conn:
        row = conn.execute("SELECT sum(rows) FROM phasegate.chunk WHERE state = 'done'").fetchone()
    assert row == (at_rest,)
    if how == "hold":
        return
    runs.resume_run(phase.run_id, person=olga, how="test")
    wait_for(phase, "awaiting_sign_off")
    assert copied(scene) == ROWS
