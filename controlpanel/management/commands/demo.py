"""``manage.py demo``: the whole panel, with people, bars and a first run; ``demo run``: without a browser."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from bars.exceptions import BarsError
from controlpanel.demo import headless, interactive, world
from controlpanel.demo.driver import DemoFailedError
from controlpanel.demo.processes import ProcessDiedError
from migration_runs.exceptions import PhasegateError

UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class Command(BaseCommand):
    """Start the demo, or drive a run headless."""

    help = "Start the panel with demo data (no arguments), or drive a whole run headless (run)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``demo`` takes the port; ``demo run`` what to drive."""
        parser.add_argument(
            "--port", type=int, default=8000, help="port of the panel (a free one if it is taken)"
        )
        _pace(parser, window="120s", interval="5s")
        commands = parser.add_subparsers(dest="subcommand")
        run = commands.add_parser(
            "run", help="drive one run through all phases, without a browser, then prove it"
        )
        _pace(run, window="24s", interval="1s")
        run.add_argument(
            "--rollback-after", type=int, choices=range(1, 10), metavar="N", help="roll back after phase N"
        )
        run.add_argument("--rows", type=int, help="active DXY bars to start with (default: 14 days of them)")
        run.add_argument("--data-decision", choices=["keep", "delete"], default="delete")
        run.add_argument("--json", action="store_true", help="exactly one JSON object on stdout")
        run.add_argument("--log-dir", type=Path, help="keep the processes' logs here")

    def handle(self, *, subcommand: str | None, **options: Any) -> None:
        """Run it; anything that is not as it should be ends with the reason and exit code 1."""
        try:
            pace = _checked_pace(options["window"], options["interval"])
            if subcommand == "run":
                self._run(pace, options)
            else:
                interactive.serve(port=options["port"], pace=pace, say=self.stdout.write)
        except (DemoFailedError, ProcessDiedError, PhasegateError, BarsError) as error:
            raise CommandError(str(error)) from error

    def _run(self, pace: world.Pace, options: dict[str, Any]) -> None:
        chosen = headless.Options(
            pace=pace,
            days=14,
            rows=options["rows"],
            rollback_after=options["rollback_after"],
            data_decision=options["data_decision"],
        )
        log_dir = options["log_dir"] or Path(settings.BACKUP_DIR).parent / "logs"
        report = headless.drive(
            chosen, log_dir=log_dir, say=lambda line: print(line, file=sys.stderr, flush=True)
        )
        self.stdout.write(json.dumps(report) if options["json"] else _as_text(report))
        found = headless.deviations(report, rollback_after=chosen.rollback_after)
        if found:
            raise CommandError("\n".join(found + report["examples"]))


def _pace(parser: ArgumentParser, *, window: str, interval: str) -> None:
    parser.add_argument(
        "--window", type=_duration, default=window, help=f"real time of the 24 h window (default {window})"
    )
    parser.add_argument(
        "--interval", type=_duration, default=interval, help=f"real time between checks (default {interval})"
    )


def _checked_pace(window: timedelta, interval: timedelta) -> world.Pace:
    if not timedelta(seconds=10) <= window <= timedelta(hours=24):
        raise CommandError("--window is from 10s to 24h")
    if not timedelta(seconds=1) <= interval <= window / 4:
        raise CommandError("--interval is at least 1s, and at most a quarter of the window")
    return world.Pace(window=window, interval=interval)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|min|h)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text}: give a number and its unit, for example 24s, 2m or 1h")
    return timedelta(seconds=float(found.group(1)) * UNITS[found.group(2)])


def _as_text(report: dict[str, Any]) -> str:
    rows = report["rows"]
    lines = [
        f"the run is {report['state'].replace('_', ' ')} after {report['seconds']} s",
        (
            f"bars: {rows['source_before']:,} before, {rows['written_during_run']:,} written meanwhile, "
            f"{rows['target_after']:,} in the target now"
        ),
        f"missing {rows['missing']}, duplicated {rows['duplicated']}, different {rows['different']}",
        "checks: " + ", ".join(f"{count} {name}" for name, count in report["checks"].items()),
        f"audit: {report['audit']['events']} events, {'intact' if report['audit']['verified'] else 'BROKEN'}",
    ]
    lines += [
        f"  {p['number']} {p['key']:18} {p['state']:18} {p['seconds']:8.1f} s" for p in report["phases"]
    ]
    return os.linesep.join(lines)
