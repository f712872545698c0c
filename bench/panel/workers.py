"""Real processes of the panel for a stage: a worker, the web."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.panel.stage import Stage
from controlpanel.demo.processes import Processes
from controlpanel.embedded_ports import free_port

QUEUES = "runs,chunks,checks,verification"


@contextmanager
def worker(staged: Stage, *, concurrency: int = 1) -> Iterator[int]:
    """A Celery worker that takes everything, the benchmark's own task too; gives the parent's process id."""
    with _processes(staged) as processes:
        processes.start(
            "worker", "-m", "celery", "-A", "controlpanel", "--quiet", "worker", "-Q", QUEUES,
            "-c", str(concurrency), "-n", "bench@%h", "-I", "bench.panel.echo", "--loglevel", "WARNING",
            "--without-gossip", "--without-mingle",
        )  # fmt: skip
        yield processes.running["worker"].pid


@contextmanager
def web(staged: Stage) -> Iterator[tuple[int, int]]:
    """The panel under gunicorn, one process that answers; gives its parent's process id and the port."""
    port = free_port()
    with _processes(staged) as processes:
        processes.start(
            "web", "-m", "gunicorn", "controlpanel.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1",
            "--threads", "4", "--worker-class", "gthread", "--no-control-socket",
        )  # fmt: skip
        while "Booting worker" not in processes.tail("web"):
            processes.check()
            time.sleep(0.05)
        yield processes.running["web"].pid, port


@contextmanager
def _processes(staged: Stage) -> Iterator[Processes]:
    folder = Path(tempfile.mkdtemp(prefix="phasegate-bench-"))
    try:
        with Processes(folder, staged.environment) as processes:
            yield processes
    finally:
        shutil.rmtree(folder)
