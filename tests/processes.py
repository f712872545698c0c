"""The project's own processes for tests: workers, beat, web. All are real, all are stopped at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60.0
# A pool's child waits up to 30 s (300 x 0.1 s, `GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT` of billiard) for
# its parent to have read the last result. A parent that is told to stop just then never reads it, so a stop
# that is in order may take that long; one worker in thirty does on a busy machine.
STOP_SECONDS = 60.0


class ProcessFailedError(AssertionError):
    """A process ended or did not become ready; carries the end of its output."""


class Processes:
    """Starts processes on one environment and stops them all."""

    def __init__(self, env: Mapping[str, str], logs: Path) -> None:
        self.env = dict(env)
        self.logs = logs
        self.running: list[subprocess.Popen[bytes]] = []

    def start(
        self, name: str, command: Sequence[str], *, ready: str | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `command`; wait until its output contains `ready`, if given."""
        log = self.logs / f"{name}-{len(self.running)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                list(command),
                cwd=CHECKOUT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(process)
        deadline = time.monotonic() + READY_SECONDS
        while ready is not None and ready not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ProcessFailedError(f"{name} is not ready:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.05)
        return process

    def start_worker(
        self, queues: str = "runs,chunks,checks,verification,notifications", *, concurrency: int = 2
    ) -> subprocess.Popen[bytes]:
        """A Celery worker that takes tasks of `queues`; returns when it does."""
        count = sum(process.poll() is None for process in self.running)
        name = f"worker{count}"
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "controlpanel",
            "worker",
            "--without-gossip",
            "--without-mingle",
        ]
        command += ["--hostname", f"{name}@{os.getpid()}", "-Q", queues, "-c", str(concurrency), "-l", "INFO"]
        return self.start(name, command, ready=" ready.")

    def start_beat(self, *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Celery's beat, keeping its schedule in memory; without `wait` returns before it has begun."""
        command = [sys.executable, "-m", "celery", "-A", "controlpanel", "beat"]
        command += ["-S", "celery.beat:Scheduler", "-l", "INFO"]
        return self.start("beat", command, ready="beat: Starting" if wait else None)

    def start_web(self, port: int) -> subprocess.Popen[bytes]:
        """The panel under gunicorn."""
        command = [sys.executable, "-m", "gunicorn", "controlpanel.wsgi", "--bind", f"127.0.0.1:{port}"]
        return self.start("web", [*command, "--workers", "1", "--threads", "4"], ready="Listening at")

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL to their process groups after a while."""
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.running.clear()
