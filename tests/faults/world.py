"""Where faults happen: a run over nine phases on servers of its own, with real processes and live writers.

A :class:`World` lives as long as the test session and keeps *snapshots*: pairs of databases (control and
target) with the run at the start of a phase, carried there once. A :class:`Stage` is one copy of such a pair
for one test, with a writer and a reader alive on it, and processes that the test may hurt.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg
import redis
from django.conf import settings
from django.db import connections

from controlpanel import embedded
from controlpanel.embedded_databases import ControlUrls, TargetUrls
from migration_runs.models import Run
from tests.control import make_people
from tests.faults import copies, things
from tests.faults.copies import CONTROL, TARGET
from tests.faults.driver import Driver
from tests.faults.journal import Journal, Side
from tests.faults.living import Reader, Writer
from tests.faults.prestate import PreState
from tests.faults.scene import LEASE_S, SWEEP_S
from tests.faults.things import DataDecision
from tests.pointing import pointed
from tests.processes import Processes

SWITCHED = 7
"""The phase that moves the writers from the old table to the new."""


@dataclass
class World:
    """The servers, and snapshots of the run by the phase that is the next to start (10: completed)."""

    cluster: embedded.Cluster
    target_cluster: embedded.Cluster
    control_template: str
    logs: Path
    snapshots: dict[tuple[DataDecision, int], int] = field(default_factory=dict)
    """By data decision and number: the id of the run."""
    prestates: dict[DataDecision, PreState] = field(default_factory=dict)
    run_id: int = 0

    @property
    def control(self) -> ControlUrls:
        """The control database in use."""
        return self.cluster.databases.control_urls(CONTROL)

    @property
    def target(self) -> TargetUrls:
        """The target in use."""
        return self.target_cluster.databases.target_urls(TARGET)

    def environment(self) -> dict[str, str]:
        """Environment of the project's processes: a short lease, a quick sweeper."""
        prefixes = ("TARGET_", "SCRATCH_", "BARS_APP_URL_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
        return inherited | {
            "DJANGO_SETTINGS_MODULE": "controlpanel.settings",
            "PHASEGATE_DEMO": "1",
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "DATABASE_URL": self.control.app_url,
            "DATABASE_OWNER_URL": self.control.owner_url,
            "CELERY_BROKER_URL": self.cluster.broker_url,
            "TARGET_BARS_URL": self.target.runner_url,
            "BACKUP_DIR": str(self.logs),
            "PG_BIN_DIR": str(self.cluster.pg_bin_dir),
            "PHASEGATE_LEASE_SECONDS": str(LEASE_S),
            "SWEEP_SECONDS": str(SWEEP_S),
            "PYTHONWARNINGS": "default",
        }

    @contextlib.contextmanager
    def stage(
        self, number: int, *, seed: int = 1, living: bool = True, decision: DataDecision = "delete"
    ) -> Iterator[Stage]:
        """A stage whose run has phase ``number`` as the next to start (10: is completed).

        No process runs yet. With ``living`` a writer and a reader are at work. Everything is stopped at the
        end, whatever state the test left it in.
        """
        with self._connections():
            self._snapshot(decision, number)
            self._restore(decision, number)
            with self._stage(number, decision, seed=seed, living=living) as stage:
                yield stage

    # -- snapshots

    def _snapshot(self, decision: DataDecision, number: int) -> None:
        """Carry the run to the start of ``number``, from the nearest snapshot before it."""
        if (decision, number) in self.snapshots:
            return
        before = max((n for other, n in self.snapshots if other == decision and n < number), default=0)
        if before:
            self._restore(decision, before)
        else:
            self._first(decision)
        with self._stage(before, decision, seed=0, living=number > SWITCHED) as stage:
            stage.start_processes()
            stage.driver.to_start_of(number)
        assert not stage.driver.rescues, stage.driver.rescues
        self._copy(decision, number)

    def _first(self, decision: DataDecision) -> None:
        """The world before the run, and the run as a draft; anew where only later snapshots are there."""
        self._drop()
        self.cluster.databases.ensure_control(CONTROL, template=self.control_template)
        self.target_cluster.databases.ensure_target(TARGET)
        with psycopg.connect(self.target.owner_url) as conn:
            conn.execute(things.WORLD.read_bytes())
        self.prestates[decision] = PreState.read(self.target.dsn)
        self.run_id = Driver.draft(things.plan(decision)).run_id

    def _copy(self, decision: DataDecision, number: int) -> None:
        self._close()
        for dsn in self._servers():
            copies.end_sessions(dsn)
        control, target = copies.names(decision, number)
        self.cluster.databases.ensure_control(control, template=CONTROL)
        self.target_cluster.databases.ensure_target(target, template=TARGET)
        self.snapshots[decision, number] = self.run_id

    def _restore(self, decision: DataDecision, number: int) -> None:
        self._drop()
        control, target = copies.names(decision, number)
        self.cluster.databases.ensure_control(CONTROL, template=control)
        self.target_cluster.databases.ensure_target(TARGET, template=target)
        for dsn in self._servers():
            copies.make_crash_safe(dsn)
        self.run_id = self.snapshots[decision, number]

    def _drop(self) -> None:
        self._close()
        self.cluster.databases.drop(CONTROL)
        self.target_cluster.databases.drop(TARGET)

    def _servers(self) -> tuple[str, str]:
        """Both servers, each as its superuser."""
        return self.cluster.superuser_dsn(), self.target_cluster.superuser_dsn()

    # -- this process

    @contextlib.contextmanager
    def _connections(self) -> Iterator[None]:
        """This process's services work on the world's databases."""
        before = dict(settings.TARGETS)
        urls = {
            "owner": self.control.owner_url,
            "default": self.control.app_url,
            "bars": self.target.runner_url,
        }
        settings.TARGETS["bars"] = self.target.runner_url
        try:
            with pointed(urls):
                yield
        finally:
            settings.TARGETS.clear()
            settings.TARGETS.update(before)

    @staticmethod
    def _close() -> None:
        for alias in ("default", "owner", "bars"):
            connections[alias].close()

    @contextlib.contextmanager
    def _stage(self, number: int, decision: DataDecision, *, seed: int, living: bool) -> Iterator[Stage]:
        with redis.Redis.from_url(self.cluster.broker_url) as client:
            client.flushall()
        logs = self.logs / f"{time.monotonic_ns()}"
        logs.mkdir()
        stage = Stage(
            world=self,
            processes=Processes(self.environment(), logs),
            number=number,
            decision=decision,
            seed=seed,
        )
        try:
            if living:
                stage.come_alive()
            yield stage
        finally:
            stage.end()


class Held(Protocol):
    """A lock that a test holds."""

    def let_go(self) -> None:
        """Release it; harmless when called again."""


@dataclass
class Stage:
    """One run, with its people, its writer and reader, and the processes that carry it."""

    world: World
    processes: Processes
    number: int
    decision: DataDecision
    seed: int
    driver: Driver = field(init=False)
    journal: Journal = field(default_factory=Journal)
    writer: Writer | None = None
    reader: Reader | None = None
    holds: list[Held] = field(default_factory=list)
    """What the test keeps from others; let go at the end, should the test not get there."""
    worker: subprocess.Popen[bytes] | None = None
    beat: subprocess.Popen[bytes] | None = None
    web: subprocess.Popen[bytes] | None = None
    web_port: int = 0
    excused: tuple[str, ...] = ()
    """What the application is refused by the fault itself, with or without us: a full disk is full."""
    target_was_hurt: bool = False
    """Whether the test broke connections to the target: then the application's broke as well."""

    def __post_init__(self) -> None:
        self.driver = Driver(self.world.run_id, make_people(), deploy=self._deploy)

    @property
    def run(self) -> Run:
        """The run as it is now."""
        return self.driver.run

    def come_alive(self) -> None:
        """Let the writer and the reader begin (again), on the side where the application is."""
        version: Side = "new" if self.number > SWITCHED else "old"
        if self.writer is not None:
            version = self.writer.version
        self.journal = Journal.read(self.world.target.dsn, side=version)
        self.writer = Writer(self.world.target.app_url, self.journal, version=version, seed=self.seed)
        self.reader = Reader(self.world.target.dsn, self.journal, run_prefix=self.run_prefix)
        self.writer.__enter__()
        self.reader.__enter__()

    def start_processes(self, *, web: bool = False) -> None:
        """Beat, a worker with three children and, if asked for, web; returns when the last two are ready."""
        self.beat = self.processes.start_beat(wait=False)
        if web:
            self.start_web()
        self.start_worker()

    def start_worker(self) -> None:
        """A worker with three children, in addition to what may run; it is ``worker`` from here on."""
        self.worker = self.processes.start_worker(concurrency=3)

    def start_beat(self) -> None:
        """A beat, in addition to what may run; it is ``beat`` from here on."""
        self.beat = self.processes.start_beat()

    def start_web(self) -> None:
        """The panel, on a port of its own that it keeps when it is started again."""
        self.web_port = self.web_port or embedded.free_port()
        self.web = self.processes.start_web(self.web_port)

    @property
    def run_prefix(self) -> str:
        """How the run's objects in the target begin."""
        return f"r{self.run.uid.hex[:8]}_"

    def quiet(self) -> None:
        """Stop the writer and the reader, so that both sides can settle."""
        for alive in (self.writer, self.reader):
            if alive is not None:
                alive.stop()

    def end(self) -> None:
        """End everything that this stage started, at once: whatever was hurt may be frozen or an orphan."""
        for held in self.holds:
            held.let_go()
        for process in self.processes.running:
            with contextlib.suppress(ProcessLookupError):
                # The group: it reaches frozen members, and children of a dead parent.
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.running.clear()
        self.quiet()

    def query(self, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows from the target, as its superuser."""
        with psycopg.connect(self.world.target.dsn, autocommit=True) as conn:
            return conn.execute(text.encode(), parameters or None).fetchall()

    def _deploy(self, version: Side) -> None:
        if self.writer is not None:
            self.writer.deploy(version)
