"""P6: what dual-write adds to a statement of the application on the source, by batch size.

Each statement is a transaction of its own, on bars that come after history, while history is in both tables.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import sql

from bench import world as worlds
from bench.case import Case, Line, Measured, UnlikeError, Ways
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

IN_SCOPE = ("DXY", "1m")
ELSEWHERE = ("DXY", "5m")


@dataclass(frozen=True)
class Writing:
    """Statements of one kind: what, how many rows each, which series, and who brings them to the target.

    ``on`` are the directions whose triggers are enabled; ``by_hand``: the application writes both tables in
    one transaction.
    """

    verb: Verb
    rows: int
    series: tuple[str, str] = IN_SCOPE
    on: On = ("forward",)
    by_hand: bool = False

    @property
    def arrives(self) -> bool:
        """Whether the target has the rows afterwards."""
        return self.by_hand or (bool(self.on) and self.series == IN_SCOPE)

    def alone(self) -> Writing:
        """The same with nobody bringing anything to the target."""
        return replace(self, on=(), by_hand=False)

    def two_statements(self) -> Writing:
        """The same with the application doing it."""
        return replace(self, on=(), by_hand=True)


class DualWrite(Case):
    """Statements with the sync triggers on, against the same without, and against two by hand."""

    def __init__(self) -> None:
        self._pairs: dict[Line, tuple[Writing, Writing]] = {}
        for one in _all():
            self._add("P6", "", one, one.alone(), TARGETS[one.rows])
        for one in _all(series=ELSEWHERE):
            self._add("P6.elsewhere", ", not in scope", one, one.alone(), TARGET_ELSEWHERE)
        for one in _all():
            self._add("P6.hand", "", one, one.two_statements(), None)
        for one in _all(on=("forward", "reverse")):
            self._add("P6.both", ", both directions on", one, one.alone(), None)
        self.lines = tuple(self._pairs)

    def _add(self, prefix: str, note: str, ours: Writing, baseline: Writing, target: float | None) -> None:
        line = Line(
            id=f"{prefix}.{ours.verb}.{ours.rows}",
            what=f"dual-write: {ours.verb} of {ours.rows}{note}",
            baseline="two statements by hand" if baseline.by_hand else "no trigger",
            target=target,
        )
        self._pairs[line] = (ours, baseline)

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
                    ours=functools.partial(writer.time, ours),
                    baseline=functools.partial(writer.time, baseline),
                )
                for line, (ours, baseline) in self._pairs.items()
            }
        world.empty_target()


def _all(**more: Any) -> Iterator[Writing]:
    verbs: tuple[Verb, ...] = ("insert", "update")
    for verb, rows in itertools.product(verbs, TARGETS):
        yield Writing(verb, rows, **more)


class Writer:
    """The application, which writes each time where nobody wrote before."""

    def __init__(self, world: World, shape: Shape) -> None:
        self._world = world
        self._shape = shape
        self._next = world.history_end

    def time(self, writing: Writing) -> Measured:
        """The median statement (by hand: transaction); the outcome is how many rows were written.

        A session's first call plans the trigger function's statements, and some commits wait for the disk
        much longer than others: a median is free of both, a sum is not.
        """
        statements = max(1, min(STATEMENTS[writing.rows], self._world.rows // writing.rows))
        first, last = self._next, self._next + timedelta(minutes=writing.rows * statements)
        self._next = last
        starts = [first + timedelta(minutes=writing.rows * number) for number in range(statements)]
        self._enable(writing.on)
        if writing.verb == "update":
            self._write(replace(writing, verb="insert"), starts)
        seconds = self._write(writing, starts)
        return Measured.time(seconds, self._written(writing, first, last))

    def _write(self, writing: Writing, starts: list[datetime]) -> float:
        texts = [worlds.statement(f"write_{writing.verb}").encode()]
        if writing.by_hand:
            texts.append(worlds.statement(f"write_{writing.verb}_target").encode())
        symbol, timeframe = writing.series
        with self._world.session(self._world.urls.app_url) as conn:
            taken = []
            for start in starts:
                place = {"symbol": symbol, "timeframe": timeframe, "from": start, "bars": writing.rows}
                began = time.perf_counter()
                with conn.transaction() if writing.by_hand else contextlib.nullcontext():
                    for text in texts:
                        conn.execute(text, place)
                taken.append(time.perf_counter() - began)
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

    def _written(self, writing: Writing, first: datetime, last: datetime) -> int:
        symbol, timeframe = writing.series
        place = {"symbol": symbol, "timeframe": timeframe, "from": first, "until": last}
        written, arrived = self._world.one("written", place)
        if arrived != (written if writing.arrives else 0):
            raise UnlikeError(f"{written} bars were written and {arrived} arrived")
        return int(written)


CASE = DualWrite()
