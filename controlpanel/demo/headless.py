"""``manage.py demo run``: a whole run without a browser, in servers of its own, then its proof."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.contrib.auth.models import User
from django.utils import timezone

from bars import connections, deployment, readers
from controlpanel.demo import people, proof, world
from controlpanel.demo.driver import Driver
from controlpanel.demo.processes import Processes
from controlpanel.demo.signal_watch import SignalWatch
from migration_runs.models import DueCheck, Run
from migration_runs.phases import PHASES, Role
from migration_runs.services import audit, plans

ALIAS = "bars"
RUNBOOK = "dxy_1m"
SEED = 7
DEPLOY_PATIENCE_S = 120.0
LINGER_S = 3.0


@dataclass(frozen=True)
class Options:
    """What to drive: the market's speed, how much history, after which phase to roll back (None: never)."""

    pace: world.Pace
    days: int
    rows: int | None
    rollback_after: int | None
    data_decision: plans.DataDecision


def drive(options: Options, *, log_dir: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Make the world, drive the run, prove, and report.

    Raises DemoFailedError, ProcessDiedError or Refused.
    """
    began = time.monotonic()
    password = secrets.token_urlsafe(16)
    world.prepare_control()
    people.ensure_people(password)
    say("loading bars")
    world.load_bars(ALIAS, days=options.days, rows=options.rows, seed=SEED, speed=options.pace.speed)
    with connections.connect(connections.application_url(ALIAS), application_name="bars-proof") as conn:
        before = proof.history(conn)
    journal = log_dir / "journal.jsonl"
    journal.unlink(missing_ok=True)  # of an earlier demo whose logs were kept
    with (
        Processes(log_dir, os.environ) as processes,
        SignalWatch(connections.application_url(ALIAS)) as engine,
    ):
        start_workers(processes)
        world.restart_clock(ALIAS, speed=options.pace.speed)
        start_market(processes, ALIAS, journal=journal)
        run = plans.create_run(
            runbook_slug=RUNBOOK,
            target=ALIAS,
            data_decision=options.data_decision,
            parameters={},
            clock_speed=options.pace.speed,
            interval_minutes=options.pace.interval_minutes,
            planned_start=timezone.now(),
            author=people_user(Role.DBA),
            how="demo",
        )

        def watch() -> None:
            processes.check()
            engine.look()

        driver = Driver(
            run.pk,
            password=password,
            deploy=lambda version: deploy(ALIAS, version, say),
            watch=watch,
            say=say,
        )
        driver.until_approved()
        for phase in PHASES:
            driver.through_phase(phase.number)
            if options.rollback_after == phase.number:
                driver.roll_back()
                break
        # The market goes on for a moment in its final state, so that the proof has bars written there.
        ends = time.monotonic() + LINGER_S
        while time.monotonic() < ends:
            engine.look()
            time.sleep(0.1)
        processes.stop("feed", "aggregator")
        view = driver.view()
        with connections.connect(connections.application_url(ALIAS), application_name="bars-proof") as conn:
            proven = proof.prove(conn, state=_readers_state(options), before=before, journal=journal)
            leftovers = _leftovers(conn)
        target_after = _target_rows(ALIAS)
    verified = audit.verify()
    return {
        "state": view.state,
        "rows": {"source_before": len(before), "target_after": target_after} | rows_proven(proven, engine),
        "signals": {"looks": engine.looks, "doubled": len(engine.doubled)},
        "phases": [
            {"number": t.number, "key": t.key, "state": t.state, "seconds": t.seconds} for t in driver.times()
        ],
        "checks": _check_counts(run),
        "audit": {"events": verified.events, "verified": verified.intact},
        "leftovers": leftovers,
        "examples": examples(proven, engine),
        "seconds": round(time.monotonic() - began, 1),
    }


def rows_proven(proven: proof.Proof, engine: SignalWatch) -> dict[str, int]:
    """The figures of ``rows``; a minute is duplicated if it is at the end, or ever was to the engine."""
    return {
        "written_during_run": proven.written_during_run,
        "missing": len(proven.missing),
        "duplicated": len(proven.duplicated | engine.doubled.keys()),
        "different": len(proven.different),
    }


def examples(proven: proof.Proof, engine: SignalWatch) -> list[str]:
    """A few of the deviations in words: the final state's, and minutes that came twice during the run."""
    return [*proven.examples, *list(engine.doubled.values())[: proof.EXAMPLES]]


def deviations(report: dict[str, Any], *, rollback_after: int | None) -> list[str]:
    """What is not as it should be; empty: everything is."""
    wanted = "completed" if rollback_after is None else "rolled_back"
    found = [] if report["state"] == wanted else [f"the run ended {report['state']}, should be {wanted}"]
    rows = report["rows"]
    found += [
        f"{rows[kind]} bars are {kind}" for kind in ("missing", "duplicated", "different") if rows[kind]
    ]
    if not rows["written_during_run"]:
        found.append("the feed wrote nothing during the run, so nothing was proven about live writes")
    if not report["signals"]["looks"]:
        found.append("the signal engine never looked, so nothing was proven about what it saw meanwhile")
    if not report["audit"]["verified"]:
        found.append("the audit trail does not verify")
    if report["leftovers"]:
        found.append(f"left on the target's tables: {', '.join(report['leftovers'])}")
    return found


def start_workers(processes: Processes) -> None:
    """Worker processes for all queues, and beat."""
    celery = ("-m", "celery", "-A", "controlpanel", "--quiet")
    for name, queues, concurrency in (
        ("worker", "runs,chunks", "2"),
        ("checker", "checks,verification,notifications", "3"),
    ):
        processes.start(
            name, *celery, "worker", "-Q", queues, "-c", concurrency, "-n", f"{name}@%h",
            "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
        )  # fmt: skip
    processes.start(
        "beat", *celery, "beat", "--loglevel", "WARNING", "-s", str(processes.log_dir / "beat-schedule")
    )


def start_market(processes: Processes, alias: str, *, journal: Path, prefix: str = "") -> None:
    """The live feed and the aggregator of a target."""
    processes.manage(f"{prefix}feed", "bars", "feed", "--alias", alias, "--journal", str(journal))
    processes.manage(f"{prefix}aggregator", "bars", "aggregate", "--alias", alias)


def deploy(alias: str, version: str, say: Callable[[str], None]) -> None:
    """What devops does elsewhere: feed and aggregator restart on a version of their code."""
    say(f"{people.username(Role.DEVOPS)} deploys {version}")
    wanted = next(known for known in deployment.VERSIONS if known == version)
    with connections.connect(connections.application_url(alias), application_name="bars-deploy") as conn:
        deployment.deploy(conn, version=wanted, timeout=timedelta(seconds=DEPLOY_PATIENCE_S), report=say)


def people_user(role: Role) -> User:
    """The account of a role."""
    return User.objects.get(username=people.username(role))


def _readers_state(options: Options) -> readers.State:
    """Who reads at the end: the migrated readers; after a rollback the old, or duplicate-safe, ones."""
    if options.rollback_after is None:
        return "migrated"
    return "transition" if options.data_decision == "keep" and options.rollback_after >= 4 else "legacy"


def _target_rows(alias: str) -> int:
    with connections.connect(connections.application_url(alias), application_name="bars-proof") as conn:
        row = conn.execute(
            "SELECT count(*) FROM public.data_bars WHERE canonical_symbol = 'DXY' AND timeframe = '1m'"
        ).fetchone()
        assert row is not None
        return int(row[0])


def _leftovers(conn: psycopg.Connection[Any]) -> list[str]:
    """Triggers of ours on the application's tables, and invalid indexes: there must be none at the end."""
    triggers = conn.execute(
        """
        SELECT tgname FROM pg_trigger
          JOIN pg_proc ON pg_proc.oid = tgfoid
         WHERE NOT tgisinternal AND pronamespace = to_regnamespace('phasegate')
         UNION ALL
        SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
        """
    ).fetchall()
    return [str(row[0]) for row in triggers]


def _check_counts(run: Run) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for check in DueCheck.objects.filter(window__run=run):
        counts[check.verdict if check.state == "done" else str(check.state)] += 1
    return {name: counts[name] for name in ("pass", "warn", "fail", "missed", "closed")}
