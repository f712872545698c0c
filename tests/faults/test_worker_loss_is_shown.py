"""A lost worker, and a fleet that is gone, are said on the page and by the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from controlpanel import embedded
from migration_runs.models import PhaseRun, StepRun
from migration_runs.phases import Role
from tests import plans, runs
from tests.control import make_person
from tests.faults.scene import Scene, kill_holder, until, wait_for
from tests.processes import CHECKOUT

pytestmark = pytest.mark.faults

LOST = re.compile(r"Worker lost (\d+) s ago, resuming")
SILENT = re.compile(r"No worker has reported for \d+ s")


class Onlooker:
    """A person who reads the run's page from the real web process, and its state by the command line."""

    def __init__(self, scene: Scene, phase: PhaseRun) -> None:
        self.env = scene.processes.env
        self.phase = phase
        port = embedded.free_port()
        scene.processes.start_web(port)
        client = Client()
        client.force_login(User.objects.get(pk=make_person("olga", Role.ONCALL).pk))
        self.cookie = f"sessionid={client.cookies['sessionid'].value}"
        self.url = f"http://127.0.0.1:{port}" + reverse("admin:migration_runs_run_live", args=[phase.run_id])

    def page(self) -> str:
        asked = urllib.request.Request(self.url, headers={"Cookie": self.cookie})
        with urllib.request.urlopen(asked) as answer:
            return str(answer.read().decode())

    def terminal(self, *more: str) -> str:
        command = [sys.executable, "manage.py", "run", "show", str(self.phase.run_id), "--as", "olga", *more]
        done = subprocess.run(
            command, cwd=CHECKOUT, env=self.env, capture_output=True, text=True, check=False
        )
        return done.stdout


def slow_phase() -> PhaseRun:
    steps = [plans.sql_step("two", "INSERT INTO effects (what) SELECT 'two' FROM pg_sleep(600)")]
    return runs.run_in_phase(plans.plan({1: steps}))


def killed_in_mid_step(scene: Scene, phase: PhaseRun) -> None:
    """The only worker, with its children; the step has told how far it is."""
    worker = scene.processes.start_worker()
    scene.wait_until_sleeping()
    StepRun.objects.filter(phase=phase).update(done=50, total=100, unit="rows")
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def test_a_lost_worker_is_said_with_its_seconds_and_the_bar_does_not_pretend(scene: Scene) -> None:
    phase = slow_phase()
    watching = Onlooker(scene, phase)
    worker = scene.processes.start_worker()
    scene.wait_until_sleeping()
    StepRun.objects.filter(phase=phase).update(done=50, total=100, unit="rows")
    assert "Done at" in watching.page(), "a step at work has a rate"
    kill_holder(phase)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    until(lambda: bool(LOST.search(watching.page())), "the page says that the worker is lost")
    shown = watching.page()
    assert "Done at" not in shown
    assert "as last told" in shown
    said = watching.terminal()
    lost = re.search(r"worker lost (\d+) s ago, resuming", said)
    assert lost is not None, said
    assert int(lost[1]) < 300
    assert "(as last told)" in said
    told = json.loads(watching.terminal("--json"))
    assert told["current"]["worker_lost_s"] > 0


def test_a_fleet_that_is_gone_is_said_until_a_worker_is_back(scene: Scene) -> None:
    phase = slow_phase()
    watching = Onlooker(scene, phase)
    assert "No worker has reported yet" in watching.page()
    killed_in_mid_step(scene, phase)
    until(lambda: bool(SILENT.search(watching.page())), "the page says that no worker is there")
    assert SILENT.search(watching.terminal())
    scene.processes.start_worker()
    scene.wait_until_sleeping()
    until(lambda: "No worker has reported" not in watching.page(), "a worker is back")
    shown = watching.page()
    assert not LOST.search(shown)
    assert "was lost, resuming" in shown, "the log keeps it"


def test_without_a_worker_a_rollback_says_so_too(scene: Scene) -> None:
    phase = slow_phase()
    row = PhaseRun.objects.get(pk=phase.pk)
    row.finish()
    row.save()
    row.undo()
    row.save()
    watching = Onlooker(scene, phase)
    assert "No worker has reported yet" in watching.page()
    scene.processes.start_worker()
    wait_for(phase, "undone")
    assert "No worker has reported" not in watching.page()
