"""The nine moments: how a run is brought to exactly that moment and kept there until the fault has struck.

By real means alone: locks that a worker or web waits for, frozen processes, the doors of the small world. No
product code knows of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg

from migration_runs.models import PhaseRun, SignOff
from migration_runs.phases import Role
from tests.faults import things
from tests.faults.clicking import Click, click
from tests.faults.scene import until
from tests.faults.world import Stage

WAITING = """
SELECT client_port FROM pg_stat_activity
 WHERE datname = current_database() AND application_name LIKE 'phasegate/%' AND wait_event_type = 'Lock'
   AND pid = ANY (SELECT pid FROM pg_locks WHERE NOT granted)
"""
ASKED = {"awaiting_sign_off", "done"}


@dataclass
class Grip:
    """A run held at a moment.

    ``victim`` is the process that is at work on it (0: none). ``release`` lets the moment pass, and may be
    called again. ``gone_on``: the run has got past what it was doing. ``click`` is a person's, under way.
    """

    victim: int
    release: Callable[[], None]
    gone_on: Callable[[], bool]
    click: Click | None = None


class Hold:
    """A lock held by a session of the test until it is let go, or its server crashes."""

    def __init__(
        self, stage: Stage, dsn: str, query: str, *parameters: Any, autocommit: bool = False
    ) -> None:
        self._conn = psycopg.connect(dsn, application_name="a test holds this", autocommit=autocommit)
        stage.holds.append(self)
        self._conn.execute(query.encode(), parameters or None)

    def let_go(self) -> None:
        """End the session."""
        self._conn.close()


def door(stage: Stage, name: str) -> Hold:
    """Close a door of the small world, outside a transaction: nobody has to wait for its snapshot."""
    query = "SELECT pg_advisory_lock(4711, hashtext(%s))"
    return Hold(stage, stage.world.target.dsn, query, name, autocommit=True)


def hold_run_row(stage: Stage) -> Hold:
    """Keep everybody from moving the run in the control database."""
    query = "SELECT id FROM migration_runs_run WHERE id = %s FOR UPDATE"
    return Hold(stage, control_dsn(stage), query, stage.world.run_id)


def control_dsn(stage: Stage) -> str:
    """The control database, as its superuser."""
    return stage.world.cluster.superuser_dsn(stage.world.control.dbname)


def waiter(stage: Stage, dsn: str) -> int:
    """The process of ours that waits for a lock there now; 0 when none does."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        ports = {port for (port,) in conn.execute(WAITING.encode())}
    for process in stage.processes.running:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(process.pid)
            for member in (root, *root.children(recursive=True)):
                if any(c.laddr and c.laddr.port in ports for c in member.net_connections("tcp")):
                    return int(member.pid)
    return 0


def _await_waiter(stage: Stage, dsn: str, what: str) -> int:
    found = [0]

    def look() -> bool:
        found[0] = waiter(stage, dsn)
        return found[0] != 0

    until(look, what)
    return found[0]


def _reached(stage: Stage, number: int, *states: str) -> Callable[[], bool]:
    return lambda: stage.driver.phase(number).state in states


def _start(stage: Stage, number: int) -> None:
    """The owner starts a phase: by a click where the panel runs, else by the service."""
    owner = stage.driver.people[stage.driver.phase(number).phase.owner]
    if stage.web_port:
        answer = click(
            stage.web_port, stage.world.run_id, "start", person=owner, digest=stage.run.plan_id, phase=number
        ).wait()
        assert answer.status == 302, answer
    else:
        stage.driver.start(number, evidence=None)


# -- the moments


def before_claim(stage: Stage) -> Grip:
    """Started, the message is with a worker, and the worker waits to claim the phase."""
    assert stage.worker is not None
    os.kill(stage.worker.pid, signal.SIGSTOP)
    _start(stage, 2)
    hold = hold_run_row(stage)
    os.kill(stage.worker.pid, signal.SIGCONT)
    victim = _await_waiter(stage, control_dsn(stage), "a worker about to claim")
    return Grip(victim, hold.let_go, _reached(stage, 2, *ASKED))


def claimed(stage: Stage) -> Grip:
    """The lease is taken, nothing is done: the worker waits to enter its token in the target."""
    hold = Hold(stage, stage.world.target.dsn, "SELECT * FROM phasegate.run FOR UPDATE")
    _start(stage, 2)
    victim = _await_waiter(stage, stage.world.target.dsn, "a worker that has just claimed")
    return Grip(victim, hold.let_go, _reached(stage, 2, *ASKED))


def inside_sql(stage: Stage) -> Grip:
    """In the middle of a chunk of the copy."""
    hold = door(stage, things.COPY)
    _start(stage, 4)
    victim = _await_waiter(stage, stage.world.target.dsn, "a worker inside a chunk")
    return Grip(victim, hold.let_go, _reached(stage, 4, *ASKED))


def committed_before_ack(stage: Stage) -> Grip:
    """The result is committed; the message is not acknowledged, since the worker's parent is frozen."""
    assert stage.worker is not None
    hold = door(stage, things.NOTE)
    _start(stage, 2)
    victim = _await_waiter(stage, stage.world.target.dsn, "a worker inside a step")
    worker = stage.worker.pid
    os.kill(worker, signal.SIGSTOP)
    hold.let_go()
    until(_reached(stage, 2, *ASKED), "the result is committed")

    def thaw() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)

    return Grip(victim, thaw, _reached(stage, 3, "done"))


def acked_before_dispatch(stage: Stage) -> Grip:
    """The phase waits for a person's word: no message, no lease. Releasing is the person's word."""
    _start(stage, 5)

    def waits() -> bool:
        phase = stage.driver.phase(5)
        return (phase.waiting or {}).get("kind") == "confirmation" and not phase.lease_worker

    until(waits, "the phase waits for a person")

    def confirm() -> None:
        stage.driver.until(
            lambda: (
                PhaseRun.objects.filter(run_id=stage.world.run_id, number=5)
                .exclude(confirmations=None)
                .exists()
            ),
            "the person's word is taken",
        )

    child = psutil.Process(stage.worker.pid).children()[0].pid if stage.worker else 0
    return Grip(child, confirm, _reached(stage, 5, *ASKED))


def sign_off_click(stage: Stage) -> Grip:
    """A person's signature is in the panel, inside its transaction, which waits for the run's row."""
    driver = stage.driver
    _start(stage, 2)
    until(_reached(stage, 2, "awaiting_sign_off"), "phase 2 waits for its signature")
    hold = hold_run_row(stage)
    signing = click(
        stage.web_port, stage.world.run_id, "sign", person=driver.people[Role.DBA], digest=driver.run.plan_id,
        gate="phase:2", role="dba",
    )  # fmt: skip
    victim = _await_waiter(stage, control_dsn(stage), "the panel inside the signature's transaction")

    def signed_once() -> bool:
        if driver.phase(3).state == "pending":
            return False
        given = SignOff.objects.filter(run_id=stage.world.run_id, gate="phase:2", void_at=None).count()
        assert given == 1, f"{given} signatures at the gate"
        return True

    return Grip(victim, hold.let_go, signed_once, signing)


def code_switch(stage: Stage) -> Grip:
    """Both directions are mirrored, the reader is about to be replaced, inside the step's transaction."""
    hold = door(stage, things.SWITCH)
    _start(stage, 5)
    victim = _await_waiter(stage, stage.world.target.dsn, "a worker in the switch")
    return Grip(victim, hold.let_go, _reached(stage, 5, *ASKED))


def rollback(stage: Stage) -> Grip:
    """The copied rows are being deleted, inside the transaction that does so."""
    hold = door(stage, things.UNCOPY)
    stage.driver.roll_back()
    victim = _await_waiter(stage, stage.world.target.dsn, "a worker that deletes copied rows")
    return Grip(victim, hold.let_go, _reached(stage, 4, "undone"))


def hourly_check(stage: Stage) -> Grip:
    """A due check is being measured, inside its query."""
    hold = door(stage, things.CHECK)
    _start(stage, 8)
    victim = _await_waiter(stage, stage.world.target.dsn, "a worker inside a check")
    return Grip(victim, hold.let_go, _reached(stage, 8, *ASKED))


@dataclass(frozen=True)
class Moment:
    """A moment: the snapshot that it begins from, how it is reached, and where the run ends in its cells."""

    title: str
    snapshot: int
    reach: Callable[[Stage], Grip]
    to_completion: bool = False
    """Completed at the end, rather than rolled back."""
    web: bool = False


MOMENTS: dict[str, Moment] = {
    "before-claim": Moment("before claim", 2, before_claim),
    "claimed": Moment("claimed", 2, claimed),
    "inside-sql": Moment("inside SQL", 4, inside_sql),
    "committed": Moment("committed before ack", 2, committed_before_ack),
    "acked": Moment("acked before next dispatch", 5, acked_before_dispatch),
    "sign-off": Moment("during a sign-off click", 2, sign_off_click, web=True),
    "code-switch": Moment("during the code switch", 5, code_switch),
    "rollback": Moment("during rollback", 5, rollback),
    "check": Moment("at an hourly check", 8, hourly_check, to_completion=True),
}
