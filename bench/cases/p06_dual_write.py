"""P6: what dual-write adds to a statement of the application on the source, by batch size.

Each statement is a transaction of its own, on bars that come after history, while history is in both tables.
"""

from __future__ import annotations

import functools
import itertools
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal

from psycopg import sql

from bench import world as worlds
from bench.case import Case, Line, Timed, UnlikeError, Ways
from bench.cases.p01_copy import insert
from bench.world import World
from migration_runs.engine.move import triggers
from migration_runs.engine.move.names import Shape

Verb = Literal["insert", "update"]
On = tuple[Literal["forward", "reverse"], ...]

CODE_SWITCH = 5

TARGETS = {1: 1.8, 60: 2.0, 1000: 2.3}
"""Highest ratio by rows of a statement."""

TARGET_ELSEWHERE = 1.1
"""Rows that the move is not about cost nothing worth mentioning."""

STATEMENTS = {1: 300, 60: 60, 1000: 15}
"""How many statements are timed in one session, by rows of a statement."""

VERBS: tuple[Verb, ...] = ("insert", "update")
IN_SCOPE = ("DXY", "1m")
ELSEWHERE = ("DXY", "5m")
BASELINE = "no trigger"


class DualWrite(Case):
    """Statements with the sync triggers on, against the same statements with them disabled."""

    def __init__(self) -> None:
        self._kinds: dict[Line, tuple[Verb, int, tuple[str, str], On]] = {}
        for verb, (rows, target) in itertools.product(VERBS, TARGETS.items()):
            self._add(f"P6.{verb}.{rows}", f"{verb} of {rows}", verb, rows, IN_SCOPE, ("forward",), target)
        for verb, rows in itertools.product(VERBS, TARGETS):
            self._add(
                f"P6.elsewhere.{verb}.{rows}", f"{verb} of {rows}, not in scope",
                verb, rows, ELSEWHERE, ("forward",), TARGET_ELSEWHERE,
            )  # fmt: skip
        for verb, rows in itertools.product(VERBS, TARGETS):
            both: On = ("forward", "reverse")
            self._add(
                f"P6.both.{verb}.{rows}", f"{verb} of {rows}, both directions on",
                verb, rows, IN_SCOPE, both, None,
            )  # fmt: skip
        self.lines = tuple(self._kinds)

    def _add(
        self,
        line_id: str,
        what: str,
        verb: Verb,
        rows: int,
        series: tuple[str, str],
        on: On,
        target: float | None,
    ) -> None:
        line = Line(line_id, f"dual-write: {what}", BASELINE, target)
        self._kinds[line] = (verb, rows, series, on)

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """Both directions are installed, history is copied; each way enables the triggers it is about."""
        world.empty_target()
        with world.run() as run:
            run.apply("forward")
            insert(world)
            run.apply("reverse", phase=CODE_SWITCH)
            world.settle()
            writer = Writer(world, run.shape())
            yield {
                line.id: Ways(
                    ours=functools.partial(writer.time, verb, rows, series, on),
                    baseline=functools.partial(writer.time, verb, rows, series, ()),
                )
                for line, (verb, rows, series, on) in self._kinds.items()
            }
        world.empty_target()


class Writer:
    """The application, which writes each time where nobody wrote before."""

    def __init__(self, world: World, shape: Shape) -> None:
        self._world = world
        self._shape = shape
        self._next = world.history_end

    def time(self, verb: Verb, rows: int, series: tuple[str, str], on: On) -> Timed:
        """The median statement of ``rows`` rows, with the directions ``on`` alone; outcome: rows written.

        A session's first call plans the trigger function's statements, and some commits wait for the disk
        much longer than others: a median is free of both, a sum is not.
        """
        statements = max(1, min(STATEMENTS[rows], self._world.rows // rows))
        first, last = self._next, self._next + timedelta(minutes=rows * statements)
        self._next = last
        starts = [first + timedelta(minutes=rows * number) for number in range(statements)]
        self._enable(on)
        if verb == "update":
            self._write("insert", rows, series, starts)
        seconds = self._write(verb, rows, series, starts)
        return Timed(seconds, self._written(series, first, last, mirrored=bool(on) and series == IN_SCOPE))

    def _write(self, verb: Verb, rows: int, series: tuple[str, str], starts: list[datetime]) -> float:
        text = worlds.statement(f"write_{verb}").encode()
        with self._world.session(self._world.urls.app_url) as conn:
            taken = []
            for start in starts:
                place = {"symbol": series[0], "timeframe": series[1], "from": start, "bars": rows}
                started = time.perf_counter()
                conn.execute(text, place)
                taken.append(time.perf_counter() - started)
        return statistics.median(taken)

    def _enable(self, on: On) -> None:
        with self._world.session(self._world.urls.runner_url) as conn:
            for name in triggers.trigger_names(self._shape):
                direction = next((one for one in ("forward", "reverse") if f"_{one}_" in name), None)
                if direction is None:
                    continue  # the guards stay
                table = self._shape.source if direction == "forward" else self._shape.target
                how = "ENABLE ALWAYS" if direction in on else "DISABLE"
                conn.execute(
                    sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(
                        table.sql, sql.SQL(how), sql.Identifier(name)
                    )
                )

    def _written(self, series: tuple[str, str], first: datetime, last: datetime, *, mirrored: bool) -> int:
        place = {"symbol": series[0], "timeframe": series[1], "from": first, "until": last}
        written, arrived = self._world.one("written", place)
        if arrived != (written if mirrored else 0):
            raise UnlikeError(f"{written} bars were written and {arrived} arrived")
        return int(written)


CASE = DualWrite()
