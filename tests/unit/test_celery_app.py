"""Which Celery application sends the hints of processes that are no workers."""

from __future__ import annotations

import os
import subprocess
import sys

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
