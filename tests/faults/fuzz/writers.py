"""The application: sessions that write to either side, and know what they wrote.

A side that is no longer mirrored (the old one after cleanup, the new one once a rollback took reverse
off) must not be written any more, by the move's own rules; the panel's ``observe`` step stands for that.
Here a straggler asks at the end of its transaction, when it holds the table's lock, whether the triggers
are still there (by the catalog as it is, not by its snapshot), and rolls back where they are not. Whoever
takes them off needs the table alone, so the answer holds until the commit.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import IsolationLevel

from migration_runs.engine.move.names import Direction, Side
from tests.faults.fuzz import actions, tables
from tests.faults.fuzz.actions import Effect, Speech
from tests.faults.fuzz.form import Form
from tests.faults.fuzz.journal import Journal

LISTENS: dict[Side, Direction] = {"source": "forward", "target": "reverse"}
LEVELS = (
    *[IsolationLevel.READ_COMMITTED] * 6, IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE
)  # fmt: skip
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Stage:
    """Who writes where. ``old`` is the share of the source; ``guarded`` sides must be mirrored;
    ``spared``: keys that the target held before the run are let alone."""

    name: str
    old: float
    guarded: tuple[Side, ...] = ()
    spared: bool = False


class Gate:
    """Where writers learn what stage it is; closed, nobody has a transaction open.

    ``limits`` are the transactions that each writer has in each stage: for the same play without the engine.
    """

    def __init__(self, limits: Mapping[tuple[str, int], int] | None = None) -> None:
        self.done: Counter[tuple[str, int]] = Counter()
        self._limits = limits
        self._change = threading.Condition()
        self._stage: Stage | None = None
        self._inside = 0
        self._closed = True
        self._over = False

    def step_in(self, writer: int) -> Stage | None:
        """Wait until writing is allowed; None when it is all over."""
        with self._change:
            self._change.wait_for(lambda: self._over or (not self._closed and self._more(writer)))
            if self._over or self._stage is None:
                return None
            self._inside += 1
            self.done[self._stage.name, writer] += 1
            return self._stage

    def step_out(self) -> None:
        """The writer's transaction has ended."""
        with self._change:
            self._inside -= 1
            self._change.notify_all()

    def enter(self, stage: Stage) -> None:
        """From now on, once all transactions of the stage before have ended."""
        with self.closed():
            self._stage = stage

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nobody writes inside."""
        with self._change:
            self._closed = True
            self._change.wait_for(lambda: self._inside == 0)
        yield
        with self._change:
            self._closed = False
            self._change.notify_all()

    def wait(self, stage: Stage, transactions: int, writers: range) -> None:
        """Until every writer has done so many in this stage (its limit, where there are limits)."""

        def enough() -> bool:
            return self._over or all(
                self.done[stage.name, one] >= self._wanted(stage.name, one, transactions) for one in writers
            )

        with self._change:
            self._change.wait_for(enough)

    def end(self) -> None:
        """Send everybody home."""
        with self._change:
            self._over = True
            self._change.notify_all()

    def _wanted(self, stage: str, writer: int, least: int) -> int:
        return least if self._limits is None else self._limits.get((stage, writer), 0)

    def _more(self, writer: int) -> bool:
        if self._limits is None or self._stage is None:
            return True
        return self.done[self._stage.name, writer] < self._limits.get((self._stage.name, writer), 0)


class Writer(threading.Thread):
    """One session of the application."""

    def __init__(
        self,
        seed: int,
        number: int,
        form: Form,
        url: str,
        gate: Gate,
        journal: Journal,
        functions: Mapping[Direction, str],
    ) -> None:
        super().__init__(daemon=True, name=f"writer-{number}")
        self.failed: str | None = None
        self._seed, self._number, self._form = seed, number, form
        self._gate, self._journal, self._functions = gate, journal, functions
        self._speech: dict[Side, Speech] = {side: Speech(form, side) for side in tables.TABLES}
        self._tokens = itertools.count(1)
        self._random: dict[str, random.Random] = {}
        self._conn = psycopg.connect(url, application_name=tables.WRITER)

    def run(self) -> None:
        """Write until it is over."""
        try:
            with self._conn:
                while (stage := self._gate.step_in(self._number)) is not None:
                    try:
                        self._transact(stage)
                    finally:
                        self._gate.step_out()
        except Exception:  # noqa: BLE001 - told as a violation
            self.failed = traceback.format_exc()
            self._gate.end()

    def _transact(self, stage: Stage) -> None:
        rng = self._random.setdefault(stage.name, random.Random(f"{self._seed}/{self._number}/{stage.name}"))
        side: Side = "source" if rng.random() < stage.old else "target"
        level = rng.choice(LEVELS)
        self._conn.isolation_level = level
        count = 1 if rng.random() < 0.4 else rng.randrange(2, 5)
        gives_up = rng.random() < 0.08
        plan = [self._planned(rng, stage) for _ in range(count)]
        if rng.random() < 0.04:  # a session that holds its locks for long, and an old snapshot
            plan[0] = (*plan[0][:2], rng.uniform(0.05, 0.3))
        effects: list[tuple[int, float, str, list[Effect]]] = []
        tokens = [action.token for action, _, _ in plan]
        try:
            for order, (action, saved, pause) in enumerate(plan):
                begin = time.monotonic()
                if saved:
                    with self._conn.transaction(force_rollback=True):
                        self._speech[side].act(self._conn, action)
                    self._journal.taken_back(action.token)
                else:
                    how = f"{action.verb} {side} {level.name} {stage.name}"
                    effects.append((order, begin, how, self._speech[side].act(self._conn, action)))
                time.sleep(pause)
            if side in stage.guarded and not self._mirrored(side):
                self._conn.rollback()
                self._journal.rolled_back(tokens, error=None, refused=True)
            elif gives_up:
                self._conn.rollback()
                self._journal.rolled_back(tokens, error=None)
            else:
                self._conn.commit()
                self._journal.committed(next(_numbers), effects, end=time.monotonic())
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            self._conn.rollback()
            self._journal.rolled_back(tokens, error=error.sqlstate)

    def _planned(self, rng: random.Random, stage: Stage) -> tuple[actions.Action, bool, float]:
        token = f"{self._number}.{next(self._tokens)}"
        action = actions.chosen(rng, self._form, token, spared=stage.spared)
        return action, rng.random() < 0.05, rng.uniform(0.002, 0.02)

    def _mirrored(self, side: Side) -> bool:
        row = self._conn.execute(
            "SELECT public.fuzz_mirrored(%s)", (self._functions[LISTENS[side]],)
        ).fetchone()
        return bool(row and row[0])
