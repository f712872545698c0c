"""The tables that the cases work on: the real legacy bars tables with invented history, and the real plan.

Source: ``rows`` active DXY minutes, withdrawn ones among them, and bars that the move is not about.
Target: bars of other symbols alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

import bars
from bars import loading
from bench.reporter import Quiet
from controlpanel import embedded
from controlpanel.embedded_databases import Databases, TargetUrls
from migration_runs.engine import connection, ledger
from migration_runs.engine.job import Job
from migration_runs.engine.move import catalog, locking, triggers
from migration_runs.engine.move.names import Shape
from migration_runs.engine.outcome import StepResult
from migration_runs.engine.steps.base import StepContext
from migration_runs.engine.steps.registry import kind_of
from migration_runs.runbook import freeze, loader
from migration_runs.runbook.plan import Plan

SQL_DIR = Path(__file__).parent / "sql"
RUNBOOK = Path(bars.__file__).parent / "runbooks" / "dxy_1m"
BACKFILL = 4
HISTORY_START = datetime(2000, 1, 3, tzinfo=UTC)
LOCK_MS = 5_000


def statement(name: str) -> str:
    """The text of ``bench/sql/<name>.sql``."""
    return (SQL_DIR / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class World:
    """One database with history in it. ``rows`` is the number of active rows in the move's scope.

    ``growth``: how many rows the figures about growth are to be measured with; None: not at all.
    """

    cluster: embedded.Cluster
    urls: TargetUrls
    rows: int
    plan: Plan
    growth: int | None = None

    @property
    def databases(self) -> Databases:
        """Where databases are made."""
        return self.cluster.databases

    @property
    def history_end(self) -> datetime:
        """The first minute without a bar."""
        return HISTORY_START + timedelta(minutes=self.rows)

    def session(self, url: str) -> psycopg.Connection[Any]:
        """A session of a role without the engine's timeouts. Commits each statement."""
        return psycopg.connect(url, autocommit=True, application_name="bench")

    def one(self, name: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        """The one row of a query of ``bench/sql``, as the runner's role sees it."""
        with self.session(self.urls.runner_url) as conn:
            row = conn.execute(statement(name).encode(), parameters).fetchone()
        assert row is not None
        return tuple(row)

    def execute(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Execute a statement of ``bench/sql`` as the tables' owner."""
        with self.session(self.urls.owner_url) as conn:
            conn.execute(statement(name).encode(), parameters)

    def install(self, file: Path) -> None:
        """Execute a file of functions as the tables' owner; one that exists is replaced."""
        text = file.read_text(encoding="utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        with self.session(self.urls.owner_url) as conn:
            conn.execute(text.encode())

    def settle(self) -> None:
        """Leave the server nothing to catch up with: statistics, visibility, dirty pages."""
        with self.session(self.urls.dsn) as conn:
            conn.execute("VACUUM (ANALYZE) public.derived_data_bars")
            conn.execute("VACUUM (ANALYZE) public.data_bars")
            conn.execute("CHECKPOINT")

    def fill_source(self) -> None:
        """The history that is to be moved."""
        self.execute("fill_source", {"start": HISTORY_START, "rows": self.rows})
        self.settle()

    def empty_target(self) -> None:
        """As it was before anything was copied or written: history here, another symbol's bars there."""
        self.execute("empty_target")
        self.execute("forget_written", {"history_end": self.history_end})
        self.execute("fill_target", {"start": HISTORY_START, "rows": self.rows})
        self.settle()

    @contextmanager
    def beside(self, name: str, *, rows: int | None = None) -> Iterator[World]:
        """Another database with the empty tables and the registry, dropped in the end; of the same size."""
        dbname = f"{self.urls.dbname}_{name}"
        self.databases.drop(dbname)  # of an earlier attempt
        try:
            yield replace(self, urls=_installed(self.databases, dbname), rows=rows or self.rows)
        finally:
            self.databases.drop(dbname)

    @contextmanager
    def run(self, *, workers: int = 1) -> Iterator[Run]:
        """A run of the plan with its ledger in the target; leaves neither trigger nor ledger behind."""
        move = self.plan.runbook.move
        copying = move.copying.model_copy(update={"workers": workers})
        runbook = self.plan.runbook.model_copy(update={"move": move.model_copy(update={"copying": copying})})
        job = Job(
            run_uid=uuid.uuid4(),
            run_name="bench-1",
            plan=self.plan.model_copy(update={"runbook": runbook}),
            phase=BACKFILL,
            token=1,
            worker="bench",
            attempt=1,
            target_url=self.urls.runner_url,
            scratch_url=None,
            backup_dir=Path("/nonexistent"),
            pg_bin_dir=None,
        )
        with connection.connect_job(job) as conn:
            ledger.ensure(conn, job)
        run = Run(job)
        try:
            yield run
        finally:
            run.forget()


@dataclass(frozen=True)
class Run:
    """The steps of the plan's fourth phase on one run, and the end of it."""

    job: Job

    def apply(self, key: str, *, phase: int = BACKFILL) -> StepResult:
        """Apply one step by the engine's own step kind, and wait for the workers that it asked for.

        The end is the ledger's mark: that commit waits for the disk, which those of the chunks do not.
        """
        job = replace(self.job, phase=phase)
        step = next(one for one in job.plan.runbook.phase(phase).steps if one.key == key)
        reporter = Quiet(job)
        result = kind_of(job.plan, phase, step).apply(
            StepContext(
                job=job,
                reporter=reporter,
                step=step,
                phase=phase,
                connect=lambda: connection.connect_job(job),
            )
        )
        reporter.join()
        with connection.connect_job(job) as conn, ledger.fenced(conn, job):
            ledger.mark_applied(conn, job, phase=phase, step_key=key)
        return result

    def shape(self) -> Shape:
        """The move as the catalog has it."""
        with connection.connect_job(self.job) as conn:
            return catalog.resolve(conn, self.job.plan.runbook.move, self.job.run_uid)

    def forget(self) -> None:
        """Take the triggers off and give up the run's ledger; rows stay as they are."""
        shape = self.shape()
        with connection.connect_job(self.job) as conn:
            with ledger.fenced(conn, self.job):
                locking.lock_tables(conn, shape, lock_ms=LOCK_MS)
                for direction in ("reverse", "forward"):
                    triggers.drop(conn, self.job, shape, direction=direction)
            ledger.drop_run(conn, self.job.run_uid)


def make(cluster: embedded.Cluster, *, rows: int, growth: int | None = None, name: str = "bench") -> World:
    """A database with the legacy tables and ``rows`` active DXY minutes in the source."""
    plan = freeze.freeze(loader.load(RUNBOOK), target="bars", data_decision="keep")
    world = World(
        cluster=cluster, urls=_installed(cluster.databases, name), rows=rows, plan=plan, growth=growth
    )
    world.fill_source()
    return world


def _installed(databases: Databases, name: str) -> TargetUrls:
    urls = databases.ensure_target(name)
    with psycopg.connect(urls.app_url) as conn:
        loading.install(conn)
    with psycopg.connect(urls.owner_url) as conn:
        conn.execute(statement("registry").encode())
    return urls
