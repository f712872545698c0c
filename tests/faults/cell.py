"""One cell of the matrix, carried out: a run brought to a moment, a fault, and what is true afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import inflicting, invariants, moments
from tests.faults.inflicting import Cure
from tests.faults.matrix import Cell
from tests.faults.moments import Grip
from tests.faults.scene import until
from tests.faults.world import Stage, World

Strike = Callable[[Stage, Grip], Cure]

STRIKES: dict[str, Strike] = {
    "web-kill": inflicting.kill_web,
    "child-kill": inflicting.kill_child,
    "parent-kill": inflicting.kill_parent,
    "freeze": inflicting.freeze,
    "deploy": inflicting.deploy,
    "beat-down": inflicting.beat_down,
    "two-beats": inflicting.two_beats,
    "broker-kill": inflicting.kill_broker,
    "flushall": inflicting.flush,
    "broker-away": inflicting.broker_unreachable,
    "control-crash": inflicting.crash_control,
    "target-crash": inflicting.crash_target,
    "cancel": inflicting.cancel_backend,
    "disk-full": inflicting.fill_disk,
    "read-only": inflicting.read_only,
    "clock": inflicting.jump,
    "approver": inflicting.approver_leaves,
}
LOCK = "lock"
"""The one fault that has to be there before its moment: the moment is that a worker waits for it."""


@dataclass(frozen=True)
class Result:
    """What a cell showed: seconds from the fault's end until the run went on, and what was violated."""

    cell: Cell
    seconds: float
    violations: tuple[str, ...]
    rescues: tuple[str, ...]


def play(world: World, cell: Cell, *, seed: int = 1) -> Result:
    """Carry out the cell to the end of its run. Raises AssertionError where the run does not get there."""
    moment = moments.MOMENTS[cell.moment]
    with world.stage(moment.snapshot, seed=seed) as stage:
        if cell.fault == "clock":
            inflicting.with_clock(stage)
        stage.start_processes(web=moment.web or cell.fault == "web-kill")
        if cell.fault == LOCK:
            grip, cure = _locked(stage, cell), Cure(inflicting.nothing)
        else:
            grip = moment.reach(stage)
            cure = STRIKES[cell.fault](stage, grip)
        seconds = _go_on(stage, grip, cure)
        if grip.click is not None:
            grip.click.wait()
        if moment.to_completion:
            stage.driver.to_start_of(10)
        elif cell.fault == "approver" and cell.moment != "rollback":
            stage.driver.to_start_of(moment.snapshot + 2)  # where approvals are looked at again
            stage.driver.to_rolled_back()
        else:
            stage.driver.to_rolled_back()
        found = invariants.violations(stage) + invariants.resumed_in_time(seconds) + _helped(stage, cell)
        return Result(cell, round(seconds, 1), tuple(found), tuple(stage.driver.rescues))


def _go_on(stage: Stage, grip: Grip, cure: Cure) -> float:
    """Let the moment pass and the fault end, in the cure's order; seconds until the run went on."""
    if cure.when == "before":
        cure.end()
    since = time.monotonic()
    grip.release()
    if cure.when == "after":
        until(cure.shown, "the run says what is wrong")
        cure.end()
        since = time.monotonic()
    stage.driver.until(grip.gone_on, "the run goes on")
    seconds = time.monotonic() - since
    if cure.when == "late":
        cure.end()
    return seconds


def _locked(stage: Stage, cell: Cell) -> Grip:
    driver = stage.driver
    number = 5 if cell.moment == "code-switch" else 4
    if cell.moment == "rollback":
        return inflicting.lock_held(stage, driver.roll_back, lambda: driver.phase(4).state == "undone")

    def begin() -> None:
        driver.start(number, evidence=None)

    return inflicting.lock_held(stage, begin, lambda: driver.phase(number).state in moments.ASKED)


def _helped(stage: Stage, cell: Cell) -> list[str]:
    """What people had to do beyond their routine, against what the cell says that they must."""
    rescues = stage.driver.rescues
    if (
        cell.moment == "check"
    ):  # the dead-man gate's hold is a right end wherever a check was missed meanwhile
        rescues = [text for text in rescues if "missed" not in text or "resume" in cell.needs]
    done = {text.partition(":")[0].partition(" phase")[0] for text in rescues}
    if done == cell.needs:
        return []
    return [
        f"people had to {sorted(rescues) or 'do nothing'}, expected was {sorted(cell.needs) or 'nothing'}"
    ]
