"""A worker in a process of its own that stops dead at a chosen gap of a step, where it is killed.

``python -m tests.faults.killed_worker < pickled (job, undo, step, gap)``. The gaps are where intent, effect
and record of a step lie apart:

``intent``  the ledger has the intent, nothing else has happened
``inside``  the effect is made, the record about to be written: in the effect's own transaction if it has one
``after``   the record is committed; nobody has been told
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NoReturn

from migration_runs.engine import ledger, runner
from migration_runs.engine.job import Job
from migration_runs.states import StepState
from tests.integration.stepping import Memory
from tests.processes import CHECKOUT

Gap = Literal["intent", "inside", "after"]
GAPS: tuple[Gap, ...] = ("intent", "inside", "after")
STOPPED = b"stopped\n"


def killed_at(job: Job, *, step: str, gap: Gap, undo: bool = False) -> None:
    """Work on the job's phase (or undo it) in a process that is killed by SIGKILL in the step's gap."""
    with worker(job, step=step, gap=gap, undo=undo) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == STOPPED, f"{step} never came to the gap '{gap}': {said!r}"


@contextmanager
def worker(
    job: Job, *, step: str = "", gap: Gap = "intent", undo: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, at work; killed when the block ends. Without a step it stops nowhere."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.killed_worker"],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((job, undo, step, gap)))
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


def _stop() -> NoReturn:
    sys.stdout.buffer.write(STOPPED)
    sys.stdout.buffer.flush()
    while True:
        time.sleep(60)


class _Told(Memory):
    """Stops when the step's end is told: its record is committed by then."""

    step_key: str = ""

    def step(self, key: str, state: StepState, **more: Any) -> None:
        if key == self.step_key and state in {StepState.DONE, StepState.SKIPPED, StepState.UNDONE}:
            _stop()


def _stop_before_work(key: str) -> None:
    tried = runner._tried

    def stopping(ctx: Any, *given: Any) -> Any:
        return _stop() if ctx.step.key == key else tried(ctx, *given)

    setattr(runner, "_tried", stopping)  # noqa: B010 - a test may replace what a type checker knows


def _stop_before_record(key: str) -> None:
    for name in ("mark_applied", "mark_undone"):
        mark = getattr(ledger, name)

        def stopping(*given: Any, step_key: str, _mark: Any = mark, **more: Any) -> None:
            if step_key == key:
                _stop()
            _mark(*given, step_key=step_key, **more)

        setattr(ledger, name, stopping)


def main() -> None:
    """Do the work of the job on stdin."""
    job, undo, key, gap = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the test
    memory = Memory()
    if key and gap == "intent":
        _stop_before_work(key)
    elif key and gap == "inside":
        _stop_before_record(key)
    elif key:
        memory = _Told()
        memory.step_key = key
    outcome = (runner.undo_phase if undo else runner.run_phase)(job, memory)
    sys.stdout.write(f"{outcome}\n")


if __name__ == "__main__":
    main()
