"""A worker as a process of its own: ``python -m tests.integration.copy_worker WHAT < pickled job``."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

from migration_runs.engine.job import Job
from migration_runs.engine.move import copier
from tests.integration import jobs


def start(job: Job) -> subprocess.Popen[bytes]:
    """A chunk worker, already at work. It prints how many chunks it copied."""
    return _start("copy", job)


def start_cleanup(job: Job) -> subprocess.Popen[bytes]:
    """A worker on the cleanup step, already at work."""
    return _start("cleanup", job)


def start_rollback(job: Job) -> subprocess.Popen[bytes]:
    """A worker that undoes cleanup, already at work."""
    return _start("rollback", job)


def _start(what: str, job: Job) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.copy_worker", what],
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


def main(what: str) -> None:
    """Do the work of the job on stdin."""
    job = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the test
    if what == "copy":
        sys.stdout.write(f"{copier.work(job, jobs.Heard())}\n")
    elif what == "cleanup":
        jobs.apply(job, 9, "retire")
    else:
        jobs.undo(job, 9, "retire")


if __name__ == "__main__":
    main(sys.argv[1])
