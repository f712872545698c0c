"""One seed: tables, writers, a move that goes so far and maybe back, and the verdicts on the way.

A route is how far the move goes before it is rolled back, or that it is completed. The writers change
sides with it: old code alone; both; new code with stragglers; new code alone; and in a rollback the same
way back. Afterwards the same writers say as much again to tables that nobody moves: what errors they meet
without us.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from controlpanel.embedded_databases import Databases
from migration_runs.engine.move import catalog, drain, triggers
from migration_runs.engine.move.names import Direction
from tests.faults.fuzz import form, journal, judge, tables, variants, watch, workers, writers
from tests.faults.fuzz.form import Form, Route, Row
from tests.faults.fuzz.judge import Violation
from tests.faults.fuzz.writers import Stage
from tests.integration.sessions import Quiet
from tests.integration.worlds import World

ROUTES: tuple[Route, ...] = (
    "completed", "switched", "completed", "reopened", "completed", "copied",
    "completed", "cleaning", "completed", "copying", "completed", "completed",
)  # fmt: skip
"""By the seed's number: half of them are completed."""

OLD = Stage("old", old=1.0)
BOTH = Stage("both", old=0.5, guarded=("source", "target"))
NEW = Stage("new", old=0.15, guarded=("source",))
ONLY_NEW = Stage("only new", old=0.0)
BOTH_AGAIN = Stage("both again", old=0.5, guarded=("source", "target"))
BACK = Stage("back", old=0.85, guarded=("target",))

DRAINS = 200


@dataclass
class Played:
    """What came of one seed."""

    seed: int
    form: Form
    route: Route
    violations: list[Violation] = field(default_factory=list)
    transactions: int = 0
    refused: int = 0
    undecided: int = 0
    kills: workers.Kills = field(default_factory=workers.Kills)
    live_verifications: int = 0
    drains: int = 0
    errors_with: Counter[str] = field(default_factory=Counter)
    errors_without: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    took: dict[str, float] = field(default_factory=dict)


class _Found(Exception):  # noqa: N818 - ends a seed, not an error
    """Violations; going on would only repeat them."""


def play(
    databases: Databases,
    seed: int,
    *,
    variant: str | None = None,
    route: Route | None = None,
    least: int = 25,
    baseline: bool = True,
    **fixed: Any,
) -> Played:
    """Play one seed. ``variant`` breaks the engine; ``route`` and fields of the form may be fixed.

    ``least`` is how many transactions every writer has at least in each stage after the copy.
    """
    started = time.monotonic()
    rng = random.Random(f"{seed}/form")
    broken = variants.VARIANTS[variant] if variant is not None else None
    chosen = form.chosen(rng, **(dict(broken.form) if broken else {}), **fixed)
    way = route or (broken.route if broken else ROUTES[seed % len(ROUTES)])
    played = Played(seed, chosen, way)
    count = rng.randrange(6, 11)
    with contextlib.ExitStack() as stack:
        stack.enter_context(variants.applied(variant))
        world, urls = stack.enter_context(tables.made(databases, chosen, f"fuzz_{seed}"))
        one = stack.enter_context(_Play(world, urls.owner_url, played, count, least, variant).opened())
        with contextlib.suppress(_Found):
            one.go()
        done = one.gate.done
    if baseline and not played.violations:
        with tables.made(databases, chosen, f"fuzz_{seed}_alone") as (world, urls):
            played.errors_without = _without_us(world, urls.owner_url, played, count, done)
    played.seconds = time.monotonic() - started
    return played


class _Play:
    def __init__(
        self, world: World, owner_url: str, played: Played, count: int, least: int, variant: str | None
    ) -> None:
        self.world, self.form, self.played = world, played.form, played
        self.gate = writers.Gate()
        self.journal = journal.Journal()
        self._least, self._count = least, count
        self._rng = random.Random(f"{played.seed}/route")
        self._owner = psycopg.connect(owner_url, autocommit=True)
        self._workers = workers.Workers(
            world, random.Random(f"{played.seed}/kills"), variant, self.form.copiers
        )
        self._drainer = watch.Drainer(random.Random(f"{played.seed}/drain"), lambda: self._workers.job)
        self._verifier = watch.Verifier(random.Random(f"{played.seed}/verify"), lambda: self._workers.job)
        with world.runner() as conn:
            self._shape = catalog.resolve(conn, world.move, world.job.run_uid)
        functions: dict[Direction, str] = {
            direction: f"{self._shape.function(direction).as_string()}()"
            for direction in writers.LISTENS.values()
        }
        self._functions = functions
        self._writers = [
            writers.Writer(played.seed, number, self.form, world.app_url, self.gate, self.journal, functions)
            for number in range(1, count + 1)
        ]

    @contextlib.contextmanager
    def opened(self) -> Iterator[_Play]:
        """Writers and watches at work; afterwards they have ended, and all is counted."""
        self.journal.begin_with(self._rows()[0])
        self._target_before = self._rows()[1]
        self._bystanders = tables.bystanders(self._owner, self.form)
        for thread in (self._drainer, self._verifier, *self._writers):
            thread.start()
        self._drainer.allow()
        try:
            yield self
        finally:
            self.gate.end()
            for writer in self._writers:
                writer.join()
            self._drainer.stop()
            self._verifier.stop()
            self._workers.close()
            self._owner.close()
            self._count_up()

    def go(self) -> None:
        """The move, as far as the route says, and the way back."""
        route = self.played.route
        self._enter(Stage("first", old=1.0, spared=True), 3)
        if route == "copying":
            enough = self._rng.randrange(2, 6)
            self._phase(4, kills=2, until=lambda: self._chunks() >= enough, kept_out=True)
            self._take_back(())
            return
        self._phase(4, kills=self._rng.randrange(5, 12), kept_out=True)
        self._verifier.allow()
        self._enter(OLD, self._least)
        self._verdict("copied")
        if route == "copied":
            self._take_back(())
            return
        self._phase(5, kills=1)
        self._enter(BOTH, 2 * self._least)
        self._verdict("switched")
        if route == "switched":
            self._take_back((5,))
            return
        self._verifier.rest()
        self._enter(NEW, 2)
        if route == "cleaning":
            enough = self._rng.randrange(1, self.form.rows // 2)
            self._phase(9, until=lambda: self._gone() >= enough)
        else:
            self._phase(9, kills=2)
            self._enter(ONLY_NEW, self._least)
        if route == "completed":
            self._completed()
            return
        self._phase(9, undo=True, kills=2)
        self._verifier.allow()
        self._enter(BOTH_AGAIN, self._least)
        self._verdict("revived")
        self._take_back((5,))

    # -- parts of the way

    def _enter(self, stage: Stage, least: int) -> None:
        self.gate.enter(stage)
        self.gate.wait(stage, least, range(1, self._count + 1))
        self._look()

    def _phase(self, number: int, *, kept_out: bool = False, **how: Any) -> None:
        """``kept_out``: rows that the target holds already are let alone until forward is on."""
        until = how.pop("until", lambda: False)
        pending = kept_out

        def ask() -> bool:
            nonlocal pending
            if pending and self._on("forward"):
                pending = False
                self.gate.enter(OLD)
            self._look()
            return bool(until())

        begun = time.monotonic()
        failed = self._workers.phase(number, until=ask, **how)
        name = f"{'undo ' if how.get('undo') else ''}{number}"
        self.played.took[name] = time.monotonic() - begun
        if failed is not None:
            self._add(Violation("failed", failed))
        self._look()

    def _take_back(self, phases: tuple[int, ...]) -> None:
        """The rest of a rollback: writers are back on the source, dual-write and copies go."""
        self._verifier.rest()
        self._enter(BACK if phases else OLD, 2)
        for phase in phases:
            self._phase(phase, undo=True, kills=1)
        begun = time.monotonic()
        self._phase(4, undo=True, kills=2)
        with self.gate.closed():
            source, target = self._rows()
            self._add(*judge.holds(self.journal, source, side="source"))
            late = {n for n, done in self.journal.writes.items() if any(one.end >= begun for one in done)}
            self._add(*self._left_over(source, target, late))
            self._nothing_left()
        self._look()

    def _completed(self) -> None:
        with self.gate.closed():
            source, target = self._rows()
            self._add(*judge.holds(self.journal, target, side="target"))
            self._add(*(Violation("left", f"{n} lives in the source after cleanup") for n in source))
            self._nothing_left()
        self._look()

    def _verdict(self, where: str) -> None:
        """Everybody rests, the list is drained: both sides are equal, and are what was written last."""
        with self.gate.closed():
            self._drainer.rest()
            with self.world.runner() as conn:
                for _ in range(DRAINS):
                    result = drain.settle(conn, self._workers.job, self._shape, Quiet())
                    if not result.left:
                        break
                else:
                    self._add(Violation("stuck", f"{where}: {result.left} entries stay on the list"))
            source, target = self._rows()
            self._add(*judge.alike(source, target))
            self._add(*judge.holds(self.journal, source, side="source"))
            self._add(*judge.holds(self.journal, target, side="target"))
            self._drainer.allow()
        self._look()

    def _left_over(
        self, source: dict[int, Row], target: dict[int, Row], late: set[int]
    ) -> Iterator[Violation]:
        """What the data decision leaves in the target. Keys written while dual-write went off may lag."""
        for n in source.keys() | target.keys() | self._target_before.keys():
            found, before = target.get(n), self._target_before.get(n)
            wrong = before is not None and before[0] == tables.wrong_token(n)
            if self.form.decision == "delete" and (wrong or before is None):
                expected = [before]
            elif n in late:
                continue
            elif wrong and n not in source:
                expected = [before]
            else:
                expected = [source.get(n), *([before] if before is not None else [])]
                # Kept are the rows that were copied or written until then.
                expected += [None] if self.played.route == "copying" else []
            if found not in expected:
                yield Violation("taken back", f"target {n} is {found}, expected {expected}")

    def _nothing_left(self) -> None:
        names = list(triggers.trigger_names(self._shape))
        left = self._owner.execute(
            "SELECT tgname FROM pg_trigger WHERE tgname = ANY (%s)", (names,)
        ).fetchall()
        if left:
            self._add(Violation("left", f"triggers {left}"))

    # -- looking

    def _rows(self) -> tuple[dict[int, Row], dict[int, Row]]:
        with self._owner.transaction():
            self._owner.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return tables.read(self._owner, self.form, "source"), tables.read(
                self._owner, self.form, "target"
            )

    def _on(self, direction: Direction) -> bool:
        row = self._owner.execute("SELECT public.fuzz_mirrored(%s)", (self._functions[direction],)).fetchone()
        return bool(row and row[0])

    def _chunks(self) -> int:
        return self._one("SELECT count(*) FROM phasegate.chunk WHERE state = 'done'")

    def _gone(self) -> int:
        return self._one(f"SELECT count(*) FROM {self._shape.gone.as_string()}")

    def _one(self, query: str) -> int:
        with self.world.runner() as conn:
            row = conn.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0

    def _add(self, *found: Violation) -> None:
        self.played.violations += found

    def _look(self) -> None:
        """Stop at the first violations: what comes after them would only repeat them."""
        self._add(*(Violation("crashed", one.failed) for one in self._writers if one.failed))
        self._add(*(Violation("crashed", words) for words in self._workers.crashed))
        self._add(*self._drainer.found, *self._verifier.found)
        if self.played.violations:
            raise _Found

    def _count_up(self) -> None:
        played = self.played
        played.transactions, played.refused = self.journal.transactions, self.journal.refused
        played.undecided = judge.undecided(self.journal)
        played.kills = self._workers.kills
        played.live_verifications, played.drains = self._verifier.times, self._drainer.times
        played.errors_with = self.journal.errors


def _without_us(
    world: World, owner_url: str, played: Played, count: int, done: Counter[tuple[str, int]]
) -> Counter[str]:
    """The same writers, as many transactions in each stage, on the same tables without triggers."""
    alone, gate = journal.Journal(), writers.Gate(done)
    stages = list(dict.fromkeys(stage for stage, _ in done))
    known = {stage.name: stage for stage in (OLD, BOTH, NEW, ONLY_NEW, BOTH_AGAIN, BACK)}
    known["first"] = Stage("first", old=1.0, spared=True)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        tables.fill_target(owner, played.form)
    crew = [
        writers.Writer(played.seed, number, played.form, world.app_url, gate, alone, {})
        for number in range(1, count + 1)
    ]
    for writer in crew:
        writer.start()
    for name in stages:
        stage = Stage(name, old=known[name].old, spared=known[name].spared)
        gate.enter(stage)
        gate.wait(stage, 0, range(1, count + 1))
    gate.end()
    for writer in crew:
        writer.join()
        if writer.failed:
            played.violations.append(Violation("crashed", writer.failed))
    return alone.errors
