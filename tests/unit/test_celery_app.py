"""Which Celery application sends the hints of processes that are no workers."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time

import pytest
from celery import beat
from celery.app.base import Celery
from django.conf import settings

from controlpanel.celery import app
from tests.processes import CHECKOUT

ASK = """
import threading
import django
django.setup()
from celery import current_app
def ask():
    print(current_app.main, current_app.conf.task_default_queue)
ask()
thread = threading.Thread(target=ask)
thread.start()
thread.join()
"""


def test_a_process_without_a_worker_sends_through_the_projects_application_from_every_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=CHECKOUT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["phasegate runs", "phasegate runs"]


def test_beat_goes_on_when_its_hosts_clock_goes_back_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = dt.timedelta(hours=1)
    real = Celery.now
    monkeypatch.setattr(Celery, "now", lambda self: real(self) + hour)
    schedule = app.conf.beat_schedule["sweep"]["schedule"]
    sweep = beat.ScheduleEntry(name="sweep", task="sweep", schedule=schedule, app=app)
    monkeypatch.setattr(Celery, "now", real)
    time.sleep(settings.SWEEP_SECONDS)
    assert sweep.is_due().is_due


def test_beat_keeps_no_file_with_times_of_a_clock_that_may_have_been_wrong() -> None:
    assert app.conf.beat_scheduler == "celery.beat:Scheduler"
