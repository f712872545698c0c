"""The broker may fail: publishing gives up soon, workers and beat come back by themselves."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from controlpanel import embedded
from tests.processes import CHECKOUT, Processes

PUBLISH = """
from controlpanel.celery import app
try:
    app.send_task("migration_runs.tasks.sweep", queue="checks")
except Exception as error:
    print("gave up:", type(error).__mro__[1].__module__, type(error).__name__)
else:
    print("sent")
"""


def publish(env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH],
        cwd=CHECKOUT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


@pytest.mark.faults
def test_publishing_without_a_broker_raises_instead_of_waiting(
    cluster: embedded.Cluster, project_env: dict[str, str]
) -> None:
    assert publish(project_env) == "sent\n"
    cluster.crash_valkey()
    try:
        assert "gave up: kombu" in publish(project_env)
    finally:
        cluster.start_valkey()


@pytest.mark.faults
def test_a_worker_outlives_its_broker_and_takes_tasks_again(
    cluster: embedded.Cluster, project_env: dict[str, str], celery_workers: Processes
) -> None:
    worker = celery_workers.running[0]
    log = celery_workers.logs / "worker0-0.log"
    cluster.crash_valkey()
    cluster.start_valkey()
    deadline = time.monotonic() + 60
    while "received" not in log.read_text():
        assert worker.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        publish(project_env)
        time.sleep(0.5)


def test_beat_sends_the_regular_tasks_and_notes_that_it_does(
    project_env: dict[str, str], processes: Processes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    processes.env["TMPDIR"] = str(tmp_path_factory.mktemp("beat"))
    assert probe(processes, "beat") == (1, "beat has not sent anything yet\n")
    processes.start_beat()
    log = processes.logs / "beat-0.log"
    deadline = time.monotonic() + 60
    while "Sending due task sweep" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    assert probe(processes, "beat") == (0, "")


def test_the_web_probe_sees_whether_the_panel_answers(processes: Processes) -> None:
    port = embedded.free_port()
    processes.env["PORT"] = str(port)
    code, said = probe(processes)
    assert code == 1
    assert f"port {port}" in said
    processes.start_web(port)
    assert probe(processes) == (0, "")


def probe(processes: Processes, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "controlpanel.probe", *arguments],
        cwd=CHECKOUT,
        env=processes.env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_channel_whose_connection_is_gone_says_that_it_broke(broker: str) -> None:
    """Anything but an error of the connection ends a worker whose broker went away under a message."""
    from controlpanel.celery import app  # noqa: PLC0415 - as the fixture has pointed it

    connection = app.connection_for_write()
    channel = connection.channel()
    connection.collect()
    with pytest.raises(connection.connection_errors):
        channel.qos.ack("a message from before")
