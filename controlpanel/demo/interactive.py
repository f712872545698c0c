"""``manage.py demo``: the panel with its processes, until Ctrl-C. A second start goes on where it was."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from bars.exceptions import BarsError
from controlpanel import embedded
from controlpanel.demo import headless, people, world
from controlpanel.demo.driver import DemoFailedError, Driver
from controlpanel.demo.processes import Processes
from controlpanel.demo_servers import TARGETS
from migration_runs.exceptions import Refused
from migration_runs.models import Run
from migration_runs.phases import PHASES, Role
from migration_runs.services import plans
from migration_runs.services.plan_store import plan_of

HOST = "127.0.0.1"
FAST = world.Pace(window=timedelta(seconds=24), interval=timedelta(seconds=1))
WEB_PATIENCE_S = 60.0
OVER = frozenset({"completed", "sealed", "cancelled", "rolling_back", "rolled_back"})


def serve(*, port: int, pace: world.Pace, say: Callable[[str], None]) -> None:
    """Make what is not there yet, start everything, print where it is, and stay until Ctrl-C."""
    data_dir = embedded.default_data_dir()
    password = _remembered_password(data_dir / "demo.json")
    try:
        pace = _prepare(password, pace, say=say)
    except KeyboardInterrupt:
        say("stopped before anything was started; the next start goes on")
        return
    with Processes(data_dir / "logs", os.environ) as processes:
        with suppress(KeyboardInterrupt):
            _start(processes, data_dir, port=port, password=password, pace=pace, say=say)
            _first_runs(password, pace, say=say, watch=lambda: _revive(processes, say))
            while True:
                time.sleep(1)
                _revive(processes, say)
        say("stopping")


def _prepare(password: str, pace: world.Pace, *, say: Callable[[str], None]) -> world.Pace:
    """People, bars and clocks; returns the pace, which an open run may have bound already."""
    world.prepare_control()
    people.ensure_people(password)
    pace = _pace_of_open_run() or pace
    for alias, speed in (("bars", pace.speed), ("staging", FAST.speed)):
        say(f"{alias}: looking for bars; where there are none, 14 days are loaded")
        world.load_bars(alias, days=14, rows=None, seed=headless.SEED, speed=speed)
        world.restart_clock(alias, speed=speed)
    return pace


def _pace_of_open_run() -> world.Pace | None:
    """The pace that an open run on ``bars`` was written for: its plan refuses a clock of another speed."""
    run = Run.objects.filter(target="bars").exclude(state__in=OVER).order_by("-id").first()
    if run is None:
        return None
    plan = plan_of(run.plan_id)
    interval = timedelta(minutes=plan.runbook.window.interval_minutes)
    return world.Pace(window=world.WINDOW / plan.clock_speed, interval=interval / plan.clock_speed)


def _start(
    processes: Processes,
    data_dir: Path,
    *,
    port: int,
    password: str,
    pace: world.Pace,
    say: Callable[[str], None],
) -> None:
    """Workers, the markets of both targets, and the panel; returns when it answers."""
    chosen = _free_port(port)
    # Links in messages lead to this panel; workers read it when they start.
    os.environ["PUBLIC_URL"] = f"http://{HOST}:{chosen}"
    headless.start_workers(processes)
    for alias in TARGETS:
        journal = data_dir / f"journal-{alias}.jsonl"
        headless.start_market(processes, alias, journal=journal, prefix=f"{alias}-")
    if port and chosen != port:
        say(f"port {port} is taken: the panel listens on {chosen}")
    processes.start(
        "web", "-m", "gunicorn", "controlpanel.wsgi", "--bind", f"{HOST}:{chosen}",
        "--workers", "2", "--threads", "4", "--worker-class", "gthread", "--no-control-socket",
    )  # fmt: skip
    _wait_for_web(processes, chosen)
    _greet(chosen, password, pace, say=say)


def _first_runs(
    password: str, pace: world.Pace, *, say: Callable[[str], None], watch: Callable[[], None]
) -> None:
    """One run waiting for approval on ``bars``, one completed on ``staging``, where there is none yet."""
    if not Run.objects.filter(target="bars").exists():
        Driver(_new_run("bars", pace).pk, password=password, deploy=_nothing, watch=watch, say=say).submit()
    first = Run.objects.filter(target="staging").order_by("id").first()
    if first is not None and first.state in OVER:
        return
    say("Meanwhile a first run is driven on staging, so that there is a completed one (some 2 minutes).")
    driver = Driver(
        (first or _new_run("staging", FAST)).pk,
        password=password,
        deploy=lambda version: headless.deploy("staging", version, lambda line: say(f"  staging: {line}")),
        watch=watch,
        say=lambda line: say(f"  staging: {line}"),
    )
    try:
        driver.until_approved()
        for phase in PHASES:
            driver.through_phase(phase.number)
    except (DemoFailedError, Refused, BarsError) as error:
        # The panel and the run on bars are worth having without it; the run's own page shows it too.
        say(f"  staging: this run did not get through: {error}")
    else:
        say("  staging: completed")


def _new_run(alias: str, pace: world.Pace) -> Run:
    return plans.create_run(
        runbook_slug=headless.RUNBOOK,
        target=alias,
        data_decision="delete",
        parameters={},
        clock_speed=pace.speed,
        interval_minutes=pace.interval_minutes,
        planned_start=timezone.now(),
        author=User.objects.get(username=people.username(Role.DBA)),
        how="demo",
    )


def _nothing(_: str) -> None:
    """Nothing is deployed before there is a run in phase 7."""


def _remembered_password(notes: Path) -> str:
    """The demo's one password: made at the first start, kept readable by its owner alone."""
    if notes.is_file():
        return str(json.loads(notes.read_text())["password"])
    password = f"demo-{secrets.token_hex(4)}"
    notes.touch(mode=0o600)
    notes.write_text(json.dumps({"password": password}))
    return password


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def _wait_for_web(processes: Processes, port: int) -> None:
    deadline = time.monotonic() + WEB_PATIENCE_S
    while time.monotonic() < deadline:
        processes.check()
        with suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=5):
            return
        time.sleep(0.3)
    raise DemoFailedError(f"the panel does not answer on port {port}:\n{processes.tail('web')}")


def _mail() -> str:
    """Where messages go, as EMAIL_URL says: into files of the demo, where the user has set none."""
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    by = {"filebased": getattr(settings, "EMAIL_FILE_PATH", ""), "smtp": f"sent by {settings.EMAIL_HOST}"}
    return str(by.get(backend, backend))


def _greet(port: int, password: str, pace: world.Pace, *, say: Callable[[str], None]) -> None:
    minutes = pace.window.total_seconds() / 60
    say("")
    say(f"Phasegate runs at  http://{HOST}:{port}/")
    say("")
    for person in people.PEOPLE:
        say(f"  {person.username:12} {password}   {person.role or 'administrator':13} {person.does}")
    say("")
    say(f"The market runs at {pace.speed:g} times real time: the 24 h window takes {minutes:g} min.")
    say("Deploy the bars' code in another terminal: .venv/bin/python manage.py bars deploy migrated")
    data_dir = embedded.default_data_dir()
    say(f"Logs: {data_dir / 'logs'}   Backups: {settings.BACKUP_DIR}   E-mail: {_mail()}")
    say("Ctrl-C stops everything; `make demo` goes on where it was; `make clean` forgets.")


def _revive(processes: Processes, say: Callable[[str], None]) -> None:
    """Start what ended by itself again, and say so. Raises ProcessDiedError when it keeps ending."""
    for name in processes.dead():
        say(f"{name} has ended; starting it again. The end of its log:\n{processes.tail(name)}")
        processes.restart(name)
