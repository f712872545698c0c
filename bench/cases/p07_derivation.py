"""P7: deriving the index of every minute from its six pairs, into the table that holds them."""

from __future__ import annotations

import functools
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from typing import ClassVar

from bars.pairs import DXY_CONSTANT, PAIRS
from bench import copying
from bench.case import Case, Line, Measured, UnlikeError, Ways
from bench.peers import installed
from bench.world import HISTORY_START, RUNBOOK, World

WHAT = "DXY of every minute: calc_dxy_range_1m"
DERIVE = "SELECT public.calc_dxy_range_1m(%s, %s, 1) ->> 'success'"
WORKERS = 2


class Derivation(Case):
    """The runbook's function over the whole range, against computing elsewhere and against the old query."""

    lines = (
        Line("P7.polars", WHAT, "polars: COPY out, compute, COPY in", 0.8),
        Line("P7.pandas", WHAT, "pandas: COPY out, compute, COPY in", None),
        Line("P7.pivot", WHAT, "six-way self-join, exp of the sum of logarithms", 0.5),
        Line("P7.parallel", f"{WHAT}, {WORKERS} ranges at once", "polars: COPY out, compute, COPY in", 0.5),
    )

    _packages: ClassVar = {"P7.polars": "polars", "P7.pandas": "pandas", "P7.parallel": "polars"}

    def lacking(self, world: World) -> Mapping[str, str]:  # noqa: ARG002 - the same in all
        """Without polars and pandas only the old query is left."""
        return {
            line: words for line, package in self._packages.items() if (words := installed.lacking(package))
        }

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """A database of its own, with six bars a minute; each measurement begins without the index."""
        lacking = self.lacking(world)
        with world.beside("derivation") as beside:
            beside.execute("derivation_components", {"start": HISTORY_START, "rows": beside.rows})
            beside.execute("derivation_reference")
            beside.install(RUNBOOK / "3_create_function" / "calc_dxy_range_1m.sql")
            beside.settle()
            for line, package in self._packages.items():
                if line not in lacking:
                    import_module(f"bench.peers.{package}_bars")  # loading it is not timed
            ours = functools.partial(_measured, beside, functools.partial(_derive, beside, 1))
            many = functools.partial(_measured, beside, functools.partial(_derive, beside, WORKERS))
            polars = functools.partial(_measured, beside, functools.partial(_elsewhere, beside, "polars"))
            ways = {
                "P7.polars": Ways(ours, polars),
                "P7.pandas": Ways(
                    ours,
                    functools.partial(_measured, beside, functools.partial(_elsewhere, beside, "pandas")),
                ),
                "P7.pivot": Ways(
                    ours, functools.partial(_measured, beside, functools.partial(_pivot, beside))
                ),
                "P7.parallel": Ways(many, polars),
            }
            yield {line: way for line, way in ways.items() if line not in lacking}


def _measured(world: World, derive: Callable[[], None]) -> Measured:
    world.execute("derivation_forget")
    world.settle()
    started = time.perf_counter()
    derive()
    return Measured.time(time.perf_counter() - started, _agreeing(world))


def _agreeing(world: World) -> int:
    minutes, agreeing = world.one("derivation_agreeing")
    if (minutes, agreeing) != (world.rows, world.rows):
        raise UnlikeError(f"{minutes} of {world.rows} minutes were derived, {agreeing} of them right")
    return int(agreeing)


def _derive(world: World, workers: int) -> None:
    whole = world.history_end - HISTORY_START
    cuts = [HISTORY_START + whole * number / workers for number in range(workers + 1)]
    failed: list[object] = []
    threads = [
        threading.Thread(target=_derive_range, args=(world, start, stop, failed))
        for start, stop in itertools.pairwise(cuts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise UnlikeError(f"calc_dxy_range_1m failed: {failed[0]}")


def _derive_range(world: World, start: datetime, stop: datetime, failed: list[object]) -> None:
    try:
        with world.session(world.urls.owner_url) as conn:
            verdict = conn.execute(DERIVE, (start, stop)).fetchone()
        if verdict != ("true",):
            failed.append(verdict)
    except Exception as error:  # noqa: BLE001 - raised by the thread that measures
        failed.append(error)


def _pivot(world: World) -> None:
    world.execute("derivation_pivot", {"from": HISTORY_START, "to": world.history_end})


def _elsewhere(world: World, package: str) -> None:
    peer = import_module(f"bench.peers.{package}_bars")
    with world.session(world.urls.owner_url) as conn:
        closes = copying.out(conn, "derivation_out")
        now = datetime.now().astimezone().isoformat()
        exponents = {pair.symbol: pair.exponent for pair in PAIRS}
        content = peer.derived(closes, exponents, DXY_CONSTANT, json.dumps(_raw(now)), now)
        copying.into(conn, "derivation_in", content)


def _raw(now: str) -> dict[str, object]:
    """What the function packs into the column ``raw``."""
    return {
        "kind": "dxy", "source": "dxy", "source_timeframe": "1m", "source_candles": 6, "expected_candles": 6,
        "quality_score": 2, "derivation_version": 1, "created_at": now,
        "raw": {"kind": "dxy", "components": 6},
    }  # fmt: skip


CASE = Derivation()
