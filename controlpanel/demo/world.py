"""The demo's databases: control migrated, the bars of each target loaded, its market clock started."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.management import call_command

from bars import connections, loading, market

WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class Pace:
    """How fast the demo's market runs: 24 hours in ``window`` of real time, a check each ``interval``."""

    window: timedelta
    interval: timedelta

    @property
    def speed(self) -> float:
        """Market seconds per real second."""
        return WINDOW / self.window

    @property
    def interval_minutes(self) -> float:
        """Market minutes between checks."""
        return self.interval.total_seconds() * self.speed / 60


def prepare_control() -> None:
    """Bring the control database to the newest schema, as its owner role."""
    call_command("migrate", interactive=False, verbosity=0)


def load_bars(alias: str, *, days: int, rows: int | None, seed: int, speed: float) -> bool:
    """Load history into a target whose market starts on the last Monday 08:00 UTC; False if it has bars.

    What an interrupted load left is removed first.
    """
    with connections.connect(
        connections.application_url(alias), application_name="bars-load", statement_timeout_seconds=0
    ) as conn:
        if not loading.discard_unfinished(conn) and loading.is_installed(conn):
            return False
        loading.load(
            conn,
            days=days,
            rows=rows,
            seed=seed,
            market_start=market.last_monday_morning(datetime.now(UTC)),
            speed=speed,
        )
        return True


def restart_clock(alias: str, *, speed: float) -> datetime:
    """Let a target's market go on now where its data end; returns the market's time."""
    with connections.connect(connections.application_url(alias), application_name="bars-clock") as conn:
        return loading.restart_clock(conn, speed=speed)
