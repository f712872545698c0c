"""P8: 5m bars of 1m bars, then 1h bars of those."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path

from bench import copying
from bench import world as worlds
from bench.case import Case, Line, Measured, UnlikeError, Way, Ways
from bench.peers import installed
from bench.world import HISTORY_START, RUNBOOK, World

WHAT = "5m and 1h bars, a call for the whole range"
LEGACY = RUNBOOK.parent.parent / "sql" / "legacy" / "07_aggregate_1m_to_5m.sql"
SINGLE_TABLE = RUNBOOK / "5_code_switch" / "single_table_reader.sql"

SERVER_MINUTES = 100_000
CLIENT_MINUTES = 20_000
"""The loops are slow; where there is more history, both ways do so much of it, from its beginning."""

SERVER_SLICE = f"{WHAT} of at most {SERVER_MINUTES:,} minutes"
CLIENT_SLICE = f"{WHAT} of at most {CLIENT_MINUTES:,} minutes"

Do = Callable[[World, datetime], None]

FIVE, HOUR = timedelta(minutes=5), timedelta(hours=1)


class Aggregation(Case):
    """The migrated functions over a range, against computing elsewhere and against the original loop."""

    lines = (
        Line("P8.polars", WHAT, "polars: COPY out, compute, COPY in", 1 / 1.5),
        Line("P8.server", SERVER_SLICE, "a call per window, in the server", 1 / 15),
        Line("P8.client", CLIENT_SLICE, "a call per window, by a client", 1 / 50),
    )

    def lacking(self, world: World) -> Mapping[str, str]:  # noqa: ARG002 - the same in all
        """The loops need nothing."""
        words = installed.lacking("polars")
        return {"P8.polars": words} if words else {}

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """A database of its own; what has to come out is what the legacy function makes of the range."""
        with world.beside("aggregation") as beside:
            beside.execute("aggregation_bars", {"start": HISTORY_START, "rows": beside.rows})
            beside.settle()
            beside.install(LEGACY)
            _range(beside, beside.history_end)
            beside.execute("aggregation_reference")
            whole, server, client = (
                _hours(world, most) for most in (world.rows, SERVER_MINUTES, CLIENT_MINUTES)
            )
            ways = {
                "P8.server": Ways(ours(beside, server), legacy(beside, server, _loop)),
                "P8.client": Ways(ours(beside, client), legacy(beside, client, _calls)),
            }  # fmt: skip
            if not self.lacking(world):
                import_module("bench.peers.polars_bars")  # loading it is not timed
                ways["P8.polars"] = Ways(
                    ours(beside, whole), partial(_measured, beside, SINGLE_TABLE, whole, _polars)
                )
            yield ways


def ours(world: World, until: datetime) -> Way:
    """The functions that the runbook leaves behind, each called once."""
    return partial(_measured, world, SINGLE_TABLE, until, _range)


def legacy(world: World, until: datetime, do: Do) -> Way:
    """The functions from before the migration."""
    return partial(_measured, world, LEGACY, until, do)


def _hours(world: World, most: int) -> datetime:
    """The end of the whole hours in the first ``most`` minutes of history."""
    return HISTORY_START + timedelta(hours=min(world.rows, most) // 60)


def _measured(world: World, functions: Path, until: datetime, do: Do) -> Measured:
    world.install(functions)
    world.execute("aggregation_forget")
    world.settle()
    started = time.perf_counter()
    do(world, until)
    seconds = time.perf_counter() - started
    return Measured.time(seconds, _agreeing(world, until))


def _agreeing(world: World, until: datetime) -> int:
    there, wanted, agreeing = world.one("aggregation_agreeing", {"to": until})
    if not there == wanted == agreeing:
        raise UnlikeError(f"{there} bars were made, {wanted} should have been, {agreeing} are right")
    return int(agreeing)


def _range(world: World, until: datetime) -> None:
    with world.session(world.urls.owner_url) as conn:
        text = worlds.statement("aggregation_range").encode()
        verdicts = conn.execute(text, {"from": HISTORY_START, "to": until}).fetchone()
    if verdicts != ("true", "true"):
        raise UnlikeError(f"the aggregation failed: {verdicts}")


def _loop(world: World, until: datetime) -> None:
    with world.session(world.urls.owner_url) as conn:
        conn.execute(
            "SELECT set_config('bench.from', %s, false), set_config('bench.to', %s, false)",
            (HISTORY_START.isoformat(), until.isoformat()),
        )
        conn.execute(worlds.statement("aggregation_loop").encode())


def _calls(world: World, until: datetime) -> None:
    with world.session(world.urls.owner_url) as conn:
        for step, name in ((FIVE, "aggregation_window_5m"), (HOUR, "aggregation_window_1h")):
            text = worlds.statement(name).encode()
            start = HISTORY_START
            while start < until:
                conn.execute(text, {"start": start})
                start += step


def _polars(world: World, until: datetime) -> None:  # noqa: ARG001 - it does all there is
    peer = import_module("bench.peers.polars_bars")
    with world.session(world.urls.owner_url) as conn:
        conn.execute("SET timezone = 'UTC'")
        minutes = copying.out(conn, "aggregation_out")
        copying.into(conn, "aggregation_in", peer.aggregated(minutes, datetime.now(UTC).isoformat()))


CASE = Aggregation()
