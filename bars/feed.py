"""The tick factory: appends the six pairs minute by minute, then has DXY derived from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from bars import deployment, market, runlog, sql_files, verdicts
from bars.exceptions import DerivationFailed
from bars.pairs import PAIRS

DERIVATION_VERSION = 1
"""``derivation_version`` of the bars that the feed has derived."""

_BATCH_MINUTES = 240
_PAIR_SYMBOLS = [pair.symbol for pair in PAIRS]

# The one difference between the versions: the function that writes DXY, and the table it writes to.
_DERIVE: dict[deployment.Version, LiteralString] = {
    "legacy": "SELECT public.calc_dxy_range_derived(%(start)s, %(stop)s, '1m', %(version)s::integer)",
    "migrated": "SELECT public.calc_dxy_range_1m(%(start)s, %(stop)s, %(version)s::integer)",
}
_WRITTEN: dict[deployment.Version, str] = {
    "legacy": "feed/written_legacy",
    "migrated": "feed/written_migrated",
}


class Journal:
    """What the feed says it wrote: one JSON line per DXY bar, ``{"ts", "close", "version"}``, appended after
    the commit.

    A bar that was derived again has a later line; the last one of a minute holds. ``version`` is the deployed
    one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, bars: Sequence[tuple[datetime, float]], *, version: deployment.Version) -> None:
        """Append bars whose commit was acknowledged, in one write."""
        lines = "".join(
            json.dumps({"ts": ts.isoformat(), "close": close, "version": version}) + "\n"
            for ts, close in bars
        )
        with self._path.open("a", encoding="utf-8") as journal:
            journal.write(lines)


class Feed:
    """The feed as a worker of ``bars.service``.

    Its cursors live in ``data_ingest_state`` and move in the transaction that writes the bars, so no minute
    is lost or skipped, whenever it dies. The pairs and DXY have a cursor each: a refused derivation does not
    stop ingest. ``seed`` None goes on with the loaded market.
    """

    component: deployment.Component = "feed"

    def __init__(self, *, journal: Journal | None = None, seed: int | None = None) -> None:
        self._journal = journal
        self._given_seed = seed
        self._seed = 1
        self._version: deployment.Version = "legacy"

    def prepare(self, conn: psycopg.Connection[Any], *, version: deployment.Version) -> None:
        """Create the session-local market functions and find out which market is being fed."""
        self._version = version
        market.prepare_session(conn)
        self._seed = runlog.loaded_seed(conn) if self._given_seed is None else self._given_seed

    def tick(self, conn: psycopg.Connection[Any]) -> None:
        """Ingest and derive every minute that is complete by the market's clock, at most 240 at once."""
        now, pairs_next, dxy_next = _position(conn)
        stop = min(now, pairs_next + _BATCH_MINUTES)
        if pairs_next < stop:
            self._ingest(conn, start=pairs_next, stop=stop)
            pairs_next = stop
        stop = min(pairs_next, dxy_next + _BATCH_MINUTES)
        if dxy_next < stop:
            self._derive(conn, start=dxy_next, stop=stop)

    def _ingest(self, conn: psycopg.Connection[Any], *, start: int, stop: int) -> None:
        with conn.transaction():
            market.append_pairs(conn, seed=self._seed, start_minute=start, stop_minute=stop)
            market.append_late_pairs(conn, seed=self._seed, start_minute=start, stop_minute=stop)
            _advance(conn, _PAIR_SYMBOLS, start=start, stop=stop, table="feed/advance_pairs")

    def _derive(self, conn: psycopg.Connection[Any], *, start: int, stop: int) -> None:
        with conn.transaction():
            late = market.late_minutes(conn, seed=self._seed, start_minute=start, stop_minute=stop)
            for first, last in [*((minute, minute + 1) for minute in late if minute < start), (start, stop)]:
                verdicts.call(
                    conn, _DERIVE[self._version], _range(first, last) | {"version": DERIVATION_VERSION}
                )
            written = conn.execute(
                sql_files.read(_WRITTEN[self._version]),
                _range(start, stop) | {"late": [market.minute_start(minute) for minute in late]},
            ).fetchall()
            _advance(
                conn,
                ["DXY"],
                start=start,
                stop=stop,
                table="feed/advance_dxy",
                last_bar=max((row[0] for row in written), default=None),
            )
        # Only now is the commit acknowledged.
        if self._journal is not None and written:
            self._journal.append([(row[0], row[1]) for row in written], version=self._version)


def _range(start: int, stop: int) -> dict[str, Any]:
    return {"start": market.minute_start(start), "stop": market.minute_start(stop)}


def _position(conn: psycopg.Connection[Any]) -> tuple[int, int, int]:
    """Return three minutes: the current (incomplete) one, the next to ingest, the next to derive."""
    row = conn.execute(sql_files.read("feed/position")).fetchone()
    if row is None or row[1] is None or row[2] is None:
        raise DerivationFailed("data_ingest_state has no cursors: load history first")
    return market.minute_number(row[0]), market.minute_number(row[1]), market.minute_number(row[2])


def _advance(
    conn: psycopg.Connection[Any],
    symbols: list[str],
    *,
    start: int,
    stop: int,
    table: str,
    last_bar: datetime | None = None,
) -> None:
    parameters = _range(start, stop) | {"symbols": symbols, "last_bar": last_bar}
    if conn.execute(sql_files.read(table), parameters).rowcount != len(symbols):
        raise DerivationFailed("another feed moved the cursor; nothing was written twice", sqlstate="40001")
