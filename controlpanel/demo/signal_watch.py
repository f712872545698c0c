"""Looks at the bars as the signal engine does while a run is driven: no reader may ever see a bar twice."""

from __future__ import annotations

import time
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import psycopg

from bars import connections, deployment, signals

SYMBOL = "DXY"
TIMEFRAME = "1m"
BARS = 600
"""How far back each look reads: ten hours of the market, ten real seconds of the fastest usual demo."""

EVERY_S = 1.0


class SignalWatch:
    """The signal engine of the deployed version, and every minute that it ever saw more than once.

    It names itself as that version does and reconnects when another one is deployed, as a restarted program
    would. Use it as a context manager; it connects at the first look.
    """

    def __init__(self, url: str, *, bars: int = BARS, every_s: float = EVERY_S) -> None:
        self.doubled: dict[datetime, str] = {}
        """Minute (UTC) → in words when it was seen doubled first."""
        self.looks = 0
        self._url = url
        self._bars = bars
        self._every_s = every_s
        self._looked_at = float("-inf")
        self._version: deployment.Version = "legacy"
        self._conn: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def look(self) -> None:
        """Read the newest bars, at most once in ``every_s`` real seconds.

        Raises ``psycopg.Error``: an engine that cannot read is as bad as one that reads a bar twice.
        """
        if time.monotonic() - self._looked_at < self._every_s:
            return
        self._looked_at = time.monotonic()
        conn = self._connected()
        seen: set[datetime] = set()
        for bar in signals.latest_bars(
            conn, symbol=SYMBOL, timeframe=TIMEFRAME, limit=self._bars, version=self._version
        ):
            if bar.ts in seen:
                self.doubled.setdefault(
                    bar.ts,
                    f"{bar.ts:%Y-%m-%d %H:%M} was seen twice by the {self._version} signal engine "
                    f"during the run (look {self.looks + 1})",
                )
            seen.add(bar.ts)
        self.looks += 1

    def _connected(self) -> psycopg.Connection[Any]:
        """A connection under the name of the version that is deployed now."""
        if self._conn is None:
            self._conn = self._connect()
        deployed = deployment.deployed_version(self._conn, "signals")
        if deployed != self._version:
            self._close()
            self._version = deployed
            self._conn = self._connect()
        return self._conn

    def _connect(self) -> psycopg.Connection[Any]:
        return connections.connect(
            self._url, application_name=deployment.application_name("signals", self._version)
        )

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
