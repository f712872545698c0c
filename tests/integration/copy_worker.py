"""A chunk worker as a process of its own: ``python -m tests.integration.copy_worker < pickled job``."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from migration_runs.engine.job import Job
from migration_runs.engine.move import copier
from tests.integration import jobs


def start(job: Job) -> subprocess.Popen[bytes]:
    """The process, already at work. It prints how many chunks it copied."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.copy_worker"],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps(job))
    process.stdin.close()
    return process


def chunks(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process; how many chunks it copied."""
    with process:
        assert process.stdout is not None
        printed = process.stdout.read()
    assert process.returncode == 0, "the worker's own words are in the captured stderr"
    return int(printed)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL, and wait until it is gone."""
    with process:
        process.kill()


def main(work: Callable[[Job, jobs.Heard], int] = copier.work) -> None:
    job = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the test
    sys.stdout.write(f"{work(job, jobs.Heard())}\n")


if __name__ == "__main__":
    main()
