"""A copy by a real worker under load that rises in its middle: people move its limits, or it is held.

The load query reads a table of the test's own. The chunk that holds row ``RISES_AT`` raises it, and takes
longer than the time for which an answer counts, so that the very next look sees the new number.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from migration_runs.engine.move import throttle
from migration_runs.models import AuditEvent, FleetPulse, PhaseRun, Run, StepRun
from migration_runs.phases import Role
from migration_runs.services import evidence
from tests import control, plans
from tests.conftest import RunManage
from tests.control import NAMES
from tests.faults.scene import Scene, log_of, until, wait_for

pytestmark = pytest.mark.faults

ROWS, RISES_AT = 2_000, 450
COPIED_THEN = 500
"""Chunks of a hundred: the one that raises the load is the fifth."""

COPYING: dict[str, Any] = {
    "initial_rows": 100, "min_rows": 100, "max_rows": 100,
    "load_sql": plans.sql_file("SELECT max(n) FROM public.queue", path="queue.sql"),
    "load_title": "orders in the queue",
    "max_load": {"value": 5, "min": 1, "max": 50},
    "max_lock_waiters": 3,
    "critical_load": 100,
}  # fmt: skip
FORWARD = {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"}
CHUNKS = {"kind": "copy", "key": "chunks", "title": "chunks", "part": "chunks"}
RISING = """
CREATE TABLE public.queue (n int);
INSERT INTO public.queue VALUES (0);
CREATE FUNCTION public.rise() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN
    UPDATE public.queue SET n = {n};
    PERFORM pg_sleep({longer_s});
    RETURN NULL;
END$$;
CREATE TRIGGER rise AFTER INSERT ON public.new_things FOR EACH ROW WHEN (NEW.id = {at})
    EXECUTE FUNCTION public.rise();
"""
Finished = subprocess.CompletedProcess[str]
Cli = Callable[..., Finished]


@pytest.fixture
def cli(scene: Scene, run_manage: RunManage) -> Cli:
    """``manage.py run`` as one of the people, on the scene's target."""

    def run(role: Role, *words: str | int) -> Finished:
        return run_manage("run", *map(str, words), "--as", NAMES[role], "--json", env=scene.processes.env)

    return run


def copy_until_load_is(scene: Scene, n: int) -> PhaseRun:
    """A copy at work whose load has just risen to ``n``."""
    rising = RISING.format(n=n, at=RISES_AT, longer_s=throttle.OWN_EVERY_S + 0.5)
    with psycopg.connect(scene.target.owner_url) as conn:
        conn.execute("INSERT INTO old_things SELECT n, 'body' FROM generate_series(1, %s::int) AS n", [ROWS])
        conn.execute(rising.encode())
    plan = control.control_plan({4: [FORWARD, CHUNKS]}, copying=COPYING)
    run = control.Scene.submitted(plan)
    found = evidence.collect(run.run, plan)
    run.sign(Role.APPROVER, evidence=found)
    for number in (1, 2, 3):
        run.start(number, evidence=found)
        run.finish(number)
        run.sign_phase(number)
    run.start(4, evidence=found)
    scene.processes.start_beat()  # only now: a worker would take the phases before from the people
    scene.processes.start_worker()
    return run.phase(4)


def copied(scene: Scene) -> int:
    with psycopg.connect(scene.target.owner_url) as conn:
        row = conn.execute("SELECT count(*) FROM new_things").fetchone()
    assert row is not None
    return int(row[0])


def relieve(scene: Scene, n: int) -> None:
    with psycopg.connect(scene.target.owner_url) as conn:
        conn.execute("UPDATE public.queue SET n = %s", [n])


def note(phase: PhaseRun) -> str:
    return StepRun.objects.get(phase=phase, key="chunks").note


def test_the_command_line_moves_a_limit_of_a_copy_that_waits_inside_what_was_signed(
    scene: Scene, cli: Cli
) -> None:
    phase = copy_until_load_is(scene, 40)
    until(lambda: note(phase) == "orders in the queue: 40 (limit 5)", "the copy waits in its middle")
    assert copied(scene) == COPIED_THEN
    adjust = ("adjust", phase.run_id, "--comment", "the queue may grow tonight", "--set")

    for role, words, reason in [
        (Role.DBA, (*adjust, "max_load=51"), "was signed for 1 to 50; 51 is outside"),
        (Role.DBA, (*adjust, "max_load=40", "max_lock_waiters=9"), "max_lock_waiters is fixed by the signed"),
        (Role.DBA, ("adjust", phase.run_id, "--set", "max_load=40"), "Say why"),
        (Role.AUDITOR, (*adjust, "max_load=40"), "for the role dba or devops or oncall"),
    ]:
        refused = cli(role, *words)
        assert refused.returncode == 1
        assert reason in json.loads(refused.stdout)["error"]
        assert reason in refused.stderr
    events = AuditEvent.objects.filter(run_id=phase.run_id)
    assert events.filter(action="refused.adjust").count() == 4
    assert not events.filter(action="run.adjust").exists()
    assert copied(scene) == COPIED_THEN

    done = cli(Role.ONCALL, *adjust, "max_load=40")
    assert done.returncode == 0, done.stderr
    wait_for(phase, "awaiting_sign_off")
    assert copied(scene) == ROWS
    event = events.get(action="run.adjust")
    assert (event.actor, event.actor_how) == (NAMES[Role.ONCALL], "demo")
    wanted = {"name": "max_load", "from": 5.0, "to": 40.0, "min": 1.0, "max": 50.0}
    assert wanted.items() <= event.detail.items()
    assert event.detail["comment"] == "the queue may grow tonight"
    assert any("max_load is 40 from here on (was 5)" in line for line in log_of(phase))
    late = cli(Role.DBA, *adjust, "max_load=5")
    assert late.returncode == 1
    assert "nothing to adjust" in late.stderr


def test_load_that_turns_critical_holds_the_run_until_a_person_resumes_it(scene: Scene, cli: Cli) -> None:
    phase = copy_until_load_is(scene, 101)
    wait_for(phase, "paused")
    said = "critical load: orders in the queue: 101 (critical above 100)"
    run = Run.objects.get(pk=phase.run_id)
    assert (run.state, run.hold_kind, run.hold_reason) == ("on_hold", "load", said)
    assert copied(scene) == COPIED_THEN
    held = AuditEvent.objects.get(run=run, action="run.hold")
    assert held.detail["reason"] == said
    assert held.actor not in NAMES.values()  # the worker's name, no person's
    shown = json.loads(cli(Role.AUDITOR, "show", run.pk).stdout)
    assert (shown["state"], shown["hold_reason"]) == ("on_hold", said)

    # Resumed too early: it is held again, and nothing is copied on the way.
    assert cli(Role.ONCALL, "resume", run.pk, "--comment", "looks better").returncode == 0
    until(lambda: holds(run) == 2, "it is held again")
    wait_for(phase, "paused")
    assert copied(scene) == COPIED_THEN

    # Gone, and nobody resumes: whoever looks after lost work leaves it alone.
    relieve(scene, 0)
    pulses = {FleetPulse.objects.get().at}

    def swept() -> bool:
        pulses.add(FleetPulse.objects.get().at)
        return len(pulses) > 4

    until(swept, "those who look after lost work have looked")
    run.refresh_from_db()
    assert (run.state, copied(scene)) == ("on_hold", COPIED_THEN)

    assert cli(Role.ONCALL, "resume", run.pk, "--comment", "the queue is empty").returncode == 0
    wait_for(phase, "awaiting_sign_off")
    assert copied(scene) == ROWS
    resumed = AuditEvent.objects.filter(run=run, action="run.resume").order_by("-seq")[0]
    assert resumed.actor == NAMES[Role.ONCALL]


def holds(run: Run) -> int:
    return AuditEvent.objects.filter(run=run, action="run.hold").count()
