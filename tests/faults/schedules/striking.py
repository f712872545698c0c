"""Every fault of the matrix, for any moment: what it needs to find, and what it must not meet half done."""

from __future__ import annotations

import contextlib
import os
import random
import time
from typing import Final

import psutil
import psycopg

from migration_runs.models import PhaseRun
from migration_runs.phases import Role
from migration_runs.services import runs
from tests import control
from tests.faults import inflicting
from tests.faults.cell import STRIKES
from tests.faults.clicking import click
from tests.faults.driver import OUTAGE
from tests.faults.inflicting import Cure
from tests.faults.moments import Grip, Hold
from tests.faults.world import Stage

LOOK_S = 1.0
"""How long a fault looks for something to hit before it is given up."""

BOTH_TABLES = "LOCK TABLE public.things_old, public.things_new IN ROW EXCLUSIVE MODE"

TOUCHES: Final[dict[str, frozenset[str]]] = {
    fault: frozenset(parts.split())
    for fault, parts in {
        "web-kill": "web control",
        "child-kill": "worker",
        "parent-kill": "worker broker",
        "freeze": "worker",
        "deploy": "worker beat web broker control",
        "beat-down": "beat",
        "two-beats": "beat",
        "broker-kill": "broker",
        "flushall": "broker",
        "broker-away": "broker",
        "control-crash": "control",
        "target-crash": "target",
        "cancel": "target",
        "lock": "target",
        "disk-full": "target",
        "read-only": "target",
        "clock": "clock",
        "approver": "control",
    }.items()
}
"""What a fault hurts or needs whole: what still lasts is made good before another touches the same part."""


def strike(stage: Stage, fault: str, chance: random.Random) -> Cure | None:
    """Let the fault happen now. None, with nothing done, where it finds nothing to hit."""
    if fault == "lock":
        return _hold_both_tables(stage)
    if fault == "cancel":
        return _cancel(stage)
    if fault == "web-kill":
        return _kill_web_in_a_click(stage, chance)
    victim = 0
    if fault in {"child-kill", "freeze"}:
        victim = _holder(stage) or _any_child(stage)
        if not victim:
            return None
    return STRIKES[fault](stage, Grip(victim, inflicting.nothing, lambda: True))


def _hold_both_tables(stage: Stage) -> Cure:
    """An application's transaction stays open on both tables."""
    return Cure(Hold(stage, stage.world.target.dsn, BOTH_TABLES).let_go)


def _cancel(stage: Stage) -> Cure | None:
    ours = f"{inflicting.OURS} AND state = 'active'"
    query = f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {ours}"
    deadline = time.monotonic() + LOOK_S
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            if (True,) in stage.query(query):
                return Cure(inflicting.nothing)
        time.sleep(0.005)
    return None


def _kill_web_in_a_click(stage: Stage, chance: random.Random) -> Cure:
    """A person holds the run by a click, and the panel is killed somewhere in it."""
    driver = stage.driver
    person, digest = driver.people[Role.ONCALL], driver.run.plan_id
    held = click(stage.web_port, stage.world.run_id, "hold", person=person, digest=digest)
    time.sleep(chance.uniform(0.0, 0.15))
    cure = inflicting.kill_web(stage, Grip(0, inflicting.nothing, lambda: True))
    held.wait()
    return cure


def _holder(stage: Stage) -> int:
    """The process that holds the lease of the run's phase; 0 where nobody does, or it cannot be asked."""
    try:
        names = PhaseRun.objects.filter(run_id=stage.world.run_id).exclude(lease_worker="")
        found = [int(name.rsplit("-", 2)[1]) for name in names.values_list("lease_worker", flat=True)]
    except OUTAGE:
        return 0
    return next((pid for pid in found if _ours(stage, pid)), 0)


def _any_child(stage: Stage) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        if stage.worker is not None:
            children = psutil.Process(stage.worker.pid).children()
            return next((child.pid for child in children if _ours(stage, child.pid)), 0)
    return 0


def _ours(stage: Stage, pid: int) -> bool:
    """Whether the number still is a process of this stage's, and not anybody's since it was noted."""
    try:
        return os.getpgid(pid) in {process.pid for process in stage.processes.running}
    except ProcessLookupError:
        return False


def gesture(stage: Stage, verb: str) -> None:
    """A person holds the run or pauses its phase.

    Raises what :data:`OUTAGE` names, and Refused where it was too early or too late.
    """
    person = stage.driver.people[Role.ENGINEER]
    if verb == "hold":
        runs.hold_run(stage.world.run_id, reason="a look at it", person=person, how=control.HOW)
    else:
        now = verb == "pause-now"
        runs.pause_phase(stage.world.run_id, person=person, how=control.HOW, now=now)
