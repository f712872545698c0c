"""The engine's workers as processes of their own, which are killed at random and replaced.

A phase is carried out by the engine's own runner in one process; while it copies, other processes are
chunk workers. SIGKILL hits any of them. The next worker of the phase comes with a higher token, as from a
lease.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from migration_runs.engine import runner
from migration_runs.engine.job import Job
from migration_runs.engine.move import copier
from migration_runs.exceptions import Fenced
from tests.faults.fuzz import variants
from tests.integration import jobs
from tests.integration.worlds import World

COPYING = 4
GIVE_UP_S = 600.0
POLL_S = 0.02
_LEFT = "SELECT EXISTS (SELECT FROM phasegate.chunk WHERE run_id = %s AND state <> 'done')"

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.faults.fuzz.workers"])


@dataclass
class _Worker:
    process: ForkServerProcess
    answers: Connection


@dataclass
class Kills:
    """Workers killed in the copy's phase, and in others."""

    copiers: int = 0
    others: int = 0


@dataclass
class Workers:
    """Who carries out phases. ``token`` is the one of the run's last worker."""

    world: World
    rng: random.Random
    variant: str | None
    copiers: int
    token: int = 1
    kills: Kills = field(default_factory=Kills)
    crashed: list[str] = field(default_factory=list)
    _helping: list[_Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._watch = self.world.runner()

    @property
    def job(self) -> Job:
        """The job as its last worker has it."""
        return replace(self.world.job, token=self.token)

    def phase(
        self,
        number: int,
        *,
        undo: bool = False,
        kills: int = 0,
        until: Callable[[], bool] = lambda: False,
    ) -> str | None:
        """Carry the phase out, or undo it, to its end; the reason if it failed.

        ``kills`` workers are killed underway. When ``until`` says so, all are killed and none replaced.
        """
        give_up = time.monotonic() + GIVE_UP_S
        while True:
            self.token += 1
            job = replace(self.world.job, phase=number, token=self.token, worker="phase")
            ended, kills, answer = self._attempt(job, undo, kills, until)
            if ended:
                return None
            if answer is not None and answer[0] == "finished":
                return None
            if answer is not None and answer[0] not in ("waiting", "killed"):
                return f"{'undoing' if undo else 'carrying out'} phase {number}: {answer[1]}"
            if time.monotonic() > give_up:
                return f"phase {number} did not end in {GIVE_UP_S:.0f} s"

    def _attempt(
        self, job: Job, undo: bool, kills: int, until: Callable[[], bool]
    ) -> tuple[bool, int, tuple[str, str] | None]:
        main = self._start("undo" if undo else "run", job)
        copying = job.phase == COPYING and not undo
        next_kill = self._soon()
        try:
            while main.process.is_alive():
                if until():
                    return True, kills, None
                if copying:
                    self._help(job)
                if kills and time.monotonic() >= next_kill:
                    kills -= 1
                    next_kill = self._soon()
                    self.rng.choice([main, *self._helping]).process.kill()
                    self.kills.copiers += copying
                    self.kills.others += not copying
                time.sleep(POLL_S)
            return False, kills, _answer(main)
        finally:
            _end(main)

    def _soon(self) -> float:
        return time.monotonic() + self.rng.uniform(0.1, 0.7)

    def _help(self, job: Job) -> None:
        """Chunk workers beside the phase's own; those of a killed phase go on until they are fenced."""
        for one in [one for one in self._helping if not one.process.is_alive()]:
            if one.process.exitcode not in (0, -signal.SIGKILL):
                self.crashed.append(f"a chunk worker ended with {one.process.exitcode}")
            _end(one)
            self._helping.remove(one)
        row = self._watch.execute(_LEFT, (self.world.job.run_uid,)).fetchone()
        if row and row[0] and len(self._helping) < self.copiers - 1:
            self._helping.append(self._start("copy", replace(job, worker=f"copier-{len(self._helping)}")))

    def close(self) -> None:
        """End all processes."""
        for one in self._helping:
            _end(one)
        self._watch.close()

    def _start(self, what: str, job: Job) -> _Worker:
        answers, theirs = _processes.Pipe(duplex=False)
        process = _processes.Process(target=_work, args=(what, job, self.variant, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, answers)


def _answer(worker: _Worker) -> tuple[str, str]:
    try:
        given: tuple[str, str] = worker.answers.recv()
    except EOFError:
        return "killed", ""
    return given


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.answers.close()


def _work(what: str, job: Job, variant: str | None, answers: Any) -> None:
    """In the worker's process. A chunk worker that raises ends with a code of its own, and is told of."""
    with variants.applied(variant), contextlib.suppress(Fenced):
        if what == "copy":
            copier.work(job, jobs.Heard())
            return
        outcome = (runner.undo_phase if what == "undo" else runner.run_phase)(job, jobs.Heard())
        answers.send((outcome.status, f"{outcome.step}: {outcome.error} ({outcome.kept})"))
