"""A run on a target server of its own, the processes that work on it, and ways to hurt them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from django.db import InterfaceError, OperationalError, connection

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.models import AuditEvent, LogLine, PhaseRun
from tests.processes import Processes

LEASE_S = 3.0
SWEEP_S = 0.5
GIVE_UP_S = 60.0
"""No promise of speed: only so that a broken program fails the test instead of hanging it."""


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for ``condition``, through outages of the control database."""
    deadline = time.monotonic() + GIVE_UP_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OperationalError, InterfaceError, psycopg.OperationalError):
            connection.close()
        time.sleep(0.1)
    raise AssertionError(f"did not happen in {GIVE_UP_S:.0f} s: {what}")


@dataclass
class Scene:
    """Where a fault happens: the servers, the target, the processes."""

    cluster: embedded.Cluster
    target_cluster: embedded.Cluster
    target: TargetUrls
    processes: Processes

    def sleeping(self) -> bool:
        """Whether a worker is inside the slow step on the target."""
        with psycopg.connect(self.target.runner_url, autocommit=True) as conn:  # may read statistics
            row = conn.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'phasegate/%%' "
                "AND wait_event = 'PgSleep'"
            ).fetchone()
        return bool(row and row[0])

    def wait_until_sleeping(self) -> None:
        """Until a worker is inside the slow step."""
        until(self.sleeping, "a worker inside the slow step")

    def effects(self) -> list[str]:
        """What the steps really did, in order."""
        with psycopg.connect(self.target.owner_url) as conn:
            return [row[0] for row in conn.execute("SELECT what FROM effects ORDER BY id")]


def state_of(phase: PhaseRun) -> str:
    """The phase's state as committed."""
    return str(PhaseRun.objects.values_list("state", flat=True).get(pk=phase.pk))


def wait_for(phase: PhaseRun, *states: str) -> None:
    """Until the phase is in one of ``states``; what it says of itself if it never is."""

    def reached() -> bool:
        return state_of(phase) in states

    try:
        until(reached, "")
    except AssertionError:
        row = PhaseRun.objects.get(pk=phase.pk)
        raise AssertionError(
            f"phase is {row.state}, not {states}: {row.error} (attempt {row.attempt})\n"
            + "\n".join(log_of(phase))
        ) from None


def holder_pid(phase: PhaseRun) -> int:
    """Process that holds the phase's lease, from its worker's name."""
    worker = PhaseRun.objects.values_list("lease_worker", flat=True).get(pk=phase.pk)
    return int(worker.rsplit("-", 2)[1])


def kill_holder(phase: PhaseRun, number: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to the process that holds the phase's lease; which it was."""
    pid = holder_pid(phase)
    os.kill(pid, number)
    return pid


def log_of(phase: PhaseRun) -> list[str]:
    """The run's log."""
    return list(LogLine.objects.filter(run_id=phase.run_id).values_list("text", flat=True))


def events(phase: PhaseRun, action: str) -> int:
    """How many audit events of one action the run has."""
    return AuditEvent.objects.filter(run_id=phase.run_id, action=action).count()
