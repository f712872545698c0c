"""Lanes in parallel: each takes the next seed when it has told the result of the one before."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.schedules.playing import Played

CHECKOUT = Path(__file__).resolve().parents[3]
STOP_S = 60.0
Ended = tuple[subprocess.Popen[str], int, "Played | None"]


def played_in(number: int, next_seed: Callable[[], int | None]) -> Iterator[Played]:
    """Results as they come, of seeds asked for one at a time until ``next_seed`` gives None.

    Raises RuntimeError when a lane dies: that is a mistake of the harness and no result.
    """
    lanes = [_start() for _ in range(number)]
    told: queue.Queue[Ended] = queue.Queue()
    waiting = 0
    ended = False
    try:
        for lane in lanes:
            waiting += _give(lane, next_seed(), told)
        while waiting:
            lane, seed, played = told.get()
            waiting -= 1
            if played is None:
                raise RuntimeError(f"the lane of seed {seed} ended with exit code {lane.wait()}")
            yield played
            waiting += _give(lane, next_seed(), told)
        ended = True
    finally:
        for lane in lanes:
            _stop(lane, at_once=not ended)


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.faults.schedules.lane"],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,  # Ctrl-C reaches the one who asked; lanes are stopped in order
    )  # fmt: skip


def _give(lane: subprocess.Popen[str], seed: int | None, told: queue.Queue[Ended]) -> int:
    if seed is None:
        return 0
    assert lane.stdin is not None
    lane.stdin.write(f"{seed}\n")
    lane.stdin.flush()
    threading.Thread(target=_await, args=(lane, seed, told), daemon=True).start()
    return 1


def _await(lane: subprocess.Popen[str], seed: int, told: queue.Queue[Ended]) -> None:
    assert lane.stdout is not None
    line = lane.stdout.readline()
    told.put((lane, seed, Played(**json.loads(line)) if line else None))


def _stop(lane: subprocess.Popen[str], *, at_once: bool) -> None:
    """What it started is stopped with it: ``at_once`` as by Ctrl-C, in the middle of a schedule."""
    assert lane.stdin is not None
    lane.stdin.close()
    if lane.poll() is None:
        if at_once:
            lane.send_signal(signal.SIGINT)
        try:
            lane.wait(STOP_S)
        except subprocess.TimeoutExpired:
            lane.kill()
            lane.wait()
