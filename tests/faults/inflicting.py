"""The faults: what is done to which process or server, and when it is made good again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import psycopg
import redis
from django.contrib.auth.models import Group

from migration_runs.models import PhaseRun
from migration_runs.phases import Role
from tests.control import make_person
from tests.faults.moments import Grip, Hold, waiter
from tests.faults.scene import LEASE_S, until
from tests.faults.world import Stage

CLOCK_DIR = Path(__file__).with_name("clock")
DEPLOY_PATIENCE_S = 2.0
UNREACHABLE_S = 4.0
HOUR_S = 3600
GIVES_WAY_S = 2.0
"""Several times as long as a worker waits for a lock at a time."""
DISK_LIMIT = 16 * 1024 * 1024
"""Bytes that a file may have: a segment of the WAL exactly, so that only tables meet the limit."""

OURS = "application_name LIKE 'phasegate/%' AND datname = current_database()"
When = Literal["before", "after", "late"]


@dataclass(frozen=True)
class Cure:
    """How a fault ends: ``before`` the run is let go from its moment, ``after``, or ``late``.

    Late is once the run has gone on without it. In a cell it does not end until the run has ``shown`` it.
    """

    end: Callable[[], None]
    when: When = "after"
    shown: Callable[[], bool] = lambda: True


def nothing() -> None:
    """Some faults are over when they have struck."""


# -- processes


def kill_web(stage: Stage, grip: Grip) -> Cure:
    """SIGKILL to gunicorn and its workers, in the middle of a request; a supervisor starts it again."""
    assert stage.web is not None
    os.killpg(stage.web.pid, signal.SIGKILL)
    stage.web.wait()
    return Cure(stage.start_web)


def kill_child(stage: Stage, grip: Grip) -> Cure:
    """SIGKILL to the process that does the work; its parent lives and starts another."""
    with contextlib.suppress(ProcessLookupError):  # between two messages a parent may have replaced it
        os.kill(grip.victim, signal.SIGKILL)
    return Cure(nothing)


def kill_parent(stage: Stage, grip: Grip) -> Cure:
    """SIGKILL to the worker's parent alone; its children are orphans. A supervisor starts a new worker."""
    assert stage.worker is not None
    stage.worker.kill()
    stage.worker.wait()
    return Cure(stage.start_worker)


def freeze(stage: Stage, grip: Grip) -> Cure:
    """SIGSTOP to the process at work, SIGCONT only when its lease has run out and another has gone on."""
    os.kill(grip.victim, signal.SIGSTOP)

    def thaw() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(grip.victim, signal.SIGCONT)
        time.sleep(LEASE_S / 3)  # what the zombie still does, it does now

    time.sleep(LEASE_S + 0.5)
    return Cure(thaw, "late")


def deploy(stage: Stage, grip: Grip) -> Cure:
    """SIGTERM to web, worker and beat, and new ones at once: what a deploy is."""
    old = [process for process in stage.processes.running if process.poll() is None]
    for process in old:
        process.terminate()
    stage.start_worker()
    stage.start_beat()
    if stage.web is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            stage.web.wait(DEPLOY_PATIENCE_S)
        with contextlib.suppress(ProcessLookupError):  # mostly it is gone by now, with all its workers
            os.killpg(stage.web.pid, signal.SIGKILL)
        stage.start_web()
    return Cure(nothing)


def beat_down(stage: Stage, grip: Grip) -> Cure:
    """SIGKILL to beat; it is started again once the moment has passed."""
    assert stage.beat is not None
    stage.beat.kill()
    stage.beat.wait()
    return Cure(stage.start_beat)


def two_beats(stage: Stage, grip: Grip) -> Cure:
    """A second beat for the rest of the run."""
    stage.start_beat()
    return Cure(nothing)


# -- the broker


def kill_broker(stage: Stage, grip: Grip) -> Cure:
    """SIGKILL to the broker with every message in it; it comes back empty."""
    stage.world.cluster.crash_valkey()
    return Cure(stage.world.cluster.start_valkey)


def flush(stage: Stage, grip: Grip) -> Cure:
    """FLUSHALL: every queue, and what was delivered and not acknowledged, is gone."""
    with redis.Redis.from_url(stage.world.cluster.broker_url) as client:
        client.flushall()
    return Cure(nothing)


def broker_unreachable(stage: Stage, grip: Grip) -> Cure:
    """The broker takes connections and answers none, as behind a firewall that drops packets."""
    noted = json.loads((stage.world.cluster.data_dir / "valkey.pid.json").read_text())
    os.kill(noted["pid"], signal.SIGSTOP)

    def back() -> None:
        time.sleep(UNREACHABLE_S)
        os.kill(noted["pid"], signal.SIGCONT)

    return Cure(back)


# -- databases


def crash_control(stage: Stage, grip: Grip) -> Cure:
    """SIGKILL to the control database's server; it recovers."""
    stage.world.cluster.crash_postgres()
    return Cure(stage.world.cluster.start_postgres, "before")


def crash_target(stage: Stage, grip: Grip) -> Cure:
    """SIGKILL to the target's server; it recovers. The application loses its connections as well."""
    stage.target_was_hurt = True
    stage.world.target_cluster.crash_postgres()
    return Cure(stage.world.target_cluster.start_postgres, "before")


def cancel_backend(stage: Stage, grip: Grip) -> Cure:
    """pg_cancel_backend on what the worker is executing on the target."""
    stage.query(f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {OURS} AND state = 'active'")
    return Cure(nothing)


def read_only(stage: Stage, grip: Grip) -> Cure:
    """Our sessions end, and new ones of our role may only read, as after a switch-over to a standby."""
    name = stage.world.target.dbname
    role = f"ALTER ROLE phasegate_runner IN DATABASE {name}"
    with psycopg.connect(stage.world.target.dsn, autocommit=True) as conn:
        conn.execute(f"{role} SET default_transaction_read_only = on".encode())
        conn.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}".encode())

    def writable() -> None:
        with psycopg.connect(stage.world.target.dsn, autocommit=True) as conn:
            conn.execute(f"{role} RESET default_transaction_read_only".encode())

    return Cure(writable, shown=lambda: _in_trouble(stage))


def fill_disk(stage: Stage, grip: Grip) -> Cure:
    """No file of the target can grow beyond a limit that the new table has reached: writing to it fails in
    the same place, and in the same way, as on a full disk."""
    stage.excused = ("could not extend file", "could not write")
    stage.query(
        "INSERT INTO things_new (kind, n, body, origin) "
        "SELECT 'other', 1000 + n, repeat(md5(n::text), 60), 'x' FROM generate_series(1, 9000) AS n "
        "RETURNING 1"
    )
    dsn = stage.world.target.dsn
    with psycopg.connect(dsn) as conn:
        postmaster = psutil.Process(conn.info.backend_pid).parent()
    assert postmaster is not None
    _limit(postmaster, str(DISK_LIMIT))
    with psycopg.connect(dsn, autocommit=True) as conn, contextlib.suppress(psycopg.errors.InternalError_):
        conn.execute(  # takes what room is left in the pages that are there, until it fails
            "INSERT INTO things_new (kind, n, body, origin) "
            "SELECT 'other', 20000 + n, 'x', 'x' FROM generate_series(1, 100000) AS n"
        )

    def free() -> None:
        _limit(postmaster, "unlimited")
        stage.query("DELETE FROM things_new WHERE kind = 'other' AND n > 1000 RETURNING 1")

    return Cure(free, shown=lambda: _in_trouble(stage))


def _limit(postmaster: psutil.Process, size: str) -> None:
    """Change the soft limit of the server and of its sessions, as the server's own user: no other may."""
    for process in (postmaster, *postmaster.children()):
        with contextlib.suppress(psutil.NoSuchProcess):  # sessions come and go
            if process != postmaster and "127.0.0.1" not in " ".join(process.cmdline()):
                continue
            done = subprocess.run(
                ["prlimit", "--pid", str(process.pid), f"--fsize={size}:"],
                user=process.uids().real,
                group=process.gids().real,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0 or not process.is_running(), done.stderr


def _in_trouble(stage: Stage) -> bool:
    failed = PhaseRun.objects.filter(run_id=stage.world.run_id, state__in=["failed", "undo_failed"])
    return stage.run.state == "on_hold" or failed.exists()


def lock_held(stage: Stage, begin: Callable[[], None], gone_on: Callable[[], bool]) -> Grip:
    """An application's transaction stays open on both tables while a worker needs them for itself."""
    tables = "public.things_old, public.things_new"
    hold = Hold(stage, stage.world.target.dsn, f"LOCK TABLE {tables} IN ROW EXCLUSIVE MODE")
    begin()

    until(lambda: waiter(stage, stage.world.target.dsn) != 0, "a worker waits for the tables")
    time.sleep(GIVES_WAY_S)
    return Grip(0, hold.let_go, gone_on)


# -- clock and people


def with_clock(stage: Stage) -> None:
    """Processes that are started from here on have a wall clock that can be set."""
    stage.processes.env |= {
        "FAULTS_CLOCK": str(stage.processes.logs / "clock"),
        "PYTHONPATH": os.pathsep.join([str(CLOCK_DIR), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep),
    }


def jump(stage: Stage, grip: Grip) -> Cure:
    """The wall clock of worker, beat and web jumps an hour ahead, and back when the run has gone on."""
    clock = stage.processes.logs / "clock"
    clock.write_text(str(HOUR_S))
    return Cure(clock.unlink, "late")


def approver_leaves(stage: Stage, grip: Grip) -> Cure:
    """Who approved the plan loses the role; somebody else has it from now on."""
    people = stage.driver.people
    people[Role.APPROVER].groups.remove(Group.objects.get(name=Role.APPROVER.value))
    people[Role.APPROVER] = make_person("abel", Role.APPROVER)
    return Cure(nothing)
