"""``manage.py bars``: load the legacy world, run its feed and aggregator, read its signals, deploy its code.

Exit codes: 0 done, 1 refused (the reason on stderr), 2 wrong usage.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError

from bars import aggregation, connections, deployment, feed, loading, pairs, service, signals
from bars.exceptions import BarsError


class Command(BaseCommand):
    """The bars system's own commands; each acts on one target as the bars application."""

    help = "The bars system: load, feed, aggregate, signals, deploy, clock."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        commands = parser.add_subparsers(dest="subcommand", required=True)

        load = commands.add_parser("load", help="install the legacy tables and fill them with history")
        load.add_argument("--days", type=_positive, default=14, help="depth of the six pairs (default 14)")
        load.add_argument(
            "--rows",
            type=_positive,
            help="active DXY 1m bars to end up with (default: as many as the days give)",
        )
        load.add_argument("--seed", type=int, default=1, help="which invented market (default 1)")
        load.add_argument("--market-start", type=_moment, help="start the market clock here (ISO 8601, UTC)")
        load.add_argument(
            "--speed",
            type=_speed,
            default=1.0,
            help="market seconds per real second; other than 1 starts a clock, by default Monday 08:00 UTC",
        )

        feeding = commands.add_parser(
            "feed", help="append the pairs minute by minute and derive DXY, until stopped"
        )
        feeding.add_argument(
            "--journal", type=Path, help="append what was written, after its commit, as JSON lines"
        )
        feeding.add_argument(
            "--tick-seconds", type=_speed, default=0.5, help="least real time between ticks (default 0.5)"
        )
        feeding.add_argument("--seed", type=int, help="which invented market (default: the loaded one)")

        aggregating = commands.add_parser(
            "aggregate", help="make 5m and 1h bars when they are due, until stopped"
        )
        aggregating.add_argument(
            "--tick-seconds", type=_speed, default=0.5, help="least real time between ticks (default 0.5)"
        )

        reading = commands.add_parser(
            "signals", help="show the latest bar of every symbol, as the deployed version reads it"
        )
        reading.add_argument("--timeframe", choices=("1m", "5m", "1h"), default="1m")
        reading.add_argument("--bars", type=_positive, default=60, help="bars to look back (default 60)")
        reading.add_argument("--json", action="store_true", help="one JSON object per symbol and line")

        deploying = commands.add_parser(
            "deploy", help="deploy a version and wait until what runs has restarted on it"
        )
        deploying.add_argument("version", choices=deployment.VERSIONS)
        deploying.add_argument("--timeout", type=_speed, default=60.0, help="seconds to wait (default 60)")

        clock = commands.add_parser(
            "clock", help="let the market clock start now, at the next minute to ingest"
        )
        clock.add_argument(
            "--speed", type=_speed, default=1.0, help="market seconds per real second (default 1)"
        )

        for command in commands.choices.values():
            command.add_argument("--alias", default="bars", help="the target (default: bars)")

    def handle(self, *, subcommand: str, alias: str, **options: Any) -> None:
        """Run one subcommand; every refusal ends as a ``CommandError`` (exit code 1)."""
        logging.getLogger("bars").setLevel(logging.INFO)
        try:
            url = connections.application_url(alias)
            getattr(self, f"_{subcommand}")(url, **options)
        except BarsError as error:
            raise CommandError(str(error)) from error
        except psycopg.OperationalError as error:
            raise CommandError(f"the target {alias!r} cannot be reached: {str(error).strip()}") from error
        except psycopg.Error as error:
            raise CommandError(f"the target {alias!r} refused: {str(error).strip()}") from error

    def _load(
        self,
        url: str,
        *,
        days: int,
        rows: int | None,
        seed: int,
        market_start: datetime | None,
        speed: float,
        **_: Any,
    ) -> None:
        with connections.connect(url, application_name="bars-load", statement_timeout_seconds=0) as conn:
            loaded = loading.load(
                conn, days=days, rows=rows, seed=seed, market_start=market_start, speed=speed
            )
        self.stdout.write(
            f"loaded DXY from {loaded.start:%Y-%m-%d %H:%M} to {loaded.stop:%Y-%m-%d %H:%M} UTC: "
            f"{loaded.dxy_active:,} active and {loaded.dxy_withdrawn:,} withdrawn 1m bars; "
            f"{loaded.data_bars:,} bars of the pairs, {loaded.derived_5m:,} 5m, {loaded.derived_1h:,} 1h"
        )

    def _feed(
        self, url: str, *, journal: Path | None, tick_seconds: float, seed: int | None, **_: Any
    ) -> None:
        worker = feed.Feed(journal=feed.Journal(journal) if journal else None, seed=seed)
        service.Service(worker, url=url, tick_seconds=tick_seconds, stopping=service.stop_on_signals()).run()

    def _aggregate(self, url: str, *, tick_seconds: float, **_: Any) -> None:
        worker = aggregation.Aggregator()
        service.Service(worker, url=url, tick_seconds=tick_seconds, stopping=service.stop_on_signals()).run()

    def _signals(self, url: str, *, timeframe: str, bars: int, json: bool, **_: Any) -> None:
        with connections.connect(url, application_name="bars-signals") as conn:
            version = deployment.deployed_version(conn, "signals")
            name = deployment.application_name("signals", version)
            conn.execute("SELECT set_config('application_name', %s, false)", [name])
            for symbol in pairs.SYMBOLS:
                signal = signals.signal_for(
                    conn, symbol=symbol, timeframe=timeframe, limit=bars, version=version
                )
                if json:
                    self.stdout.write(_as_json(symbol, signal))
                elif signal is None:
                    self.stdout.write(f"{symbol:8} no {timeframe} bar")
                else:
                    self.stdout.write(
                        f"{symbol:8} {signal.newest:%Y-%m-%d %H:%M} {signal.close:12.5f} "
                        f"{signal.from_mean_percent:+.3f} % of the mean of {signal.bars} bars"
                        + (f"; {signal.doubled} DOUBLED" if signal.doubled else "")
                    )

    def _deploy(self, url: str, *, version: deployment.Version, timeout: float, **_: Any) -> None:
        with connections.connect(url, application_name="bars-deploy") as conn:
            deployment.deploy(
                conn,
                version=version,
                timeout=timedelta(seconds=timeout),
                report=self._say,
            )
            names = ", ".join(sorted(deployment.running(conn))) or "nothing is running"
        self.stdout.write(f"deployed {version}: {names}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)

    def _clock(self, url: str, *, speed: float, **_: Any) -> None:
        with connections.connect(url, application_name="bars-clock") as conn:
            start = loading.restart_clock(conn, speed=speed)
        self.stdout.write(
            f"the market's time is {start:%Y-%m-%d %H:%M} UTC now and runs at {speed:g} times real time"
        )


def _as_json(symbol: str, signal: signals.Signal | None) -> str:
    return json.dumps(
        {"symbol": symbol} | (dataclasses.asdict(signal) if signal else {}), default=datetime.isoformat
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("has to be at least 1")
    return number


def _speed(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise ArgumentTypeError("has to be above 0 and below a million")
    return number


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError("has to be a time such as 2026-11-16T08:00") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
